#include <doctest/doctest.h>

#include "agent/executor/actions/runbook_actions.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

SiteLists::Runbook runbook() {
  SiteLists::Runbook out;
  out.parameters = {
      {.name = "days", .integer = true, .min = 1, .max = 30, .choices = {}, .required = true},
      {.name = "mode",
       .integer = false,
       .min = 0,
       .max = 0,
       .choices = {"soft", "hard reset", "2"},
       .required = false}};
  return out;
}

}  // namespace

TEST_CASE("arguments in one order, whole values in one argument each") {
  CHECK(*runbook_arguments(runbook(),
                           {{"runbook", "x"}, {"mode", "hard reset"}, {"days", std::int64_t{7}}}) ==
        std::vector<std::string>{"--days=7", "--mode=hard reset"});
  CHECK(*runbook_arguments(runbook(), {{"days", std::int64_t{30}}}) ==
        std::vector<std::string>{"--days=30"});
}

TEST_CASE("the schema says what a value is: a text that looks like a number stays a text") {
  CHECK(*runbook_arguments(runbook(), {{"days", std::int64_t{2}}, {"mode", std::int64_t{2}}}) ==
        std::vector<std::string>{"--days=2", "--mode=2"});
}

TEST_CASE("what the policy's schema does not say is refused") {
  const auto code = [](const wire::Parameters& parameters) {
    const auto out = runbook_arguments(runbook(), parameters);
    return out ? Errc::kInternal : out.error().code();
  };
  const std::int64_t one = 1;
  CHECK(code({}) == Errc::kInvalid);                            // Required, missing
  CHECK(code({{"days", "1"}}) == Errc::kInvalid);               // Text for an integer
  CHECK(code({{"days", true}}) == Errc::kInvalid);              // Flag for an integer
  CHECK(code({{"days", std::int64_t{0}}}) == Errc::kInvalid);   // Below
  CHECK(code({{"days", std::int64_t{31}}}) == Errc::kInvalid);  // Above
  CHECK(code({{"days", one}, {"mode", "Soft"}}) == Errc::kInvalid);
  CHECK(code({{"days", one}, {"mode", "soft --force"}}) == Errc::kInvalid);
  CHECK(code({{"days", one}, {"mode", one}}) == Errc::kInvalid);
  CHECK(code({{"days", one}, {"force", "yes"}}) == Errc::kInvalid);  // Unknown
}
