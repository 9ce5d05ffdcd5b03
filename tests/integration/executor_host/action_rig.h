// One action on this host, as the executor calls it: assess, execute, verify.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "agent/executor/actions/registry.h"
#include "protocol/actions/catalogue.h"

namespace observeai::test {

namespace executor = agent::executor;

class ActionRig {
 public:
  ActionRig() { host.clock = &clock; }

  executor::Action& action(const std::string& name) {
    if (actions_.empty()) actions_ = executor::make_actions(host);
    return *actions_.at(name);
  }
  executor::Run run(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const {
    return {clock, clock.steady_now() + timeout, 64U << 10};
  }

  Result<executor::Assessment> assess(const std::string& name, const wire::Parameters& parameters) {
    const auto* manifest = actions::find(name);
    REQUIRE(manifest != nullptr);
    auto checked = actions::check_parameters(*manifest, parameters);
    REQUIRE_MESSAGE(checked.has_value(), checked.error().message());
    auto one = run();
    return action(name).assess(whole(name, parameters), one);
  }
  // As the executor hands them to the action.
  static wire::Parameters whole(const std::string& name, const wire::Parameters& parameters) {
    return actions::with_defaults(*actions::find(name), parameters);
  }
  Errc refused(const std::string& name, const wire::Parameters& parameters) {
    auto seen = assess(name, parameters);
    REQUIRE_MESSAGE(!seen.has_value(), name);
    return seen.error().code();
  }

  struct Outcome {
    std::vector<wire::Change> simulated;
    std::vector<wire::Change> real;
    std::string output;
  };
  // What every action promises: it changes what it said, and nothing of its assessment changes by itself.
  Outcome carry_out(const std::string& name, const wire::Parameters& said) {
    const auto parameters = whole(name, said);
    auto dry = assess(name, said);
    REQUIRE_MESSAGE(dry.has_value(), dry.error().message());
    auto one = run();
    auto again = action(name).assess(parameters, one);
    REQUIRE_MESSAGE(again.has_value(), again.error().message());
    CHECK(again->state == dry->state);
    CHECK(again->diff == dry->diff);
    auto done = action(name).execute(parameters, *again, one);
    REQUIRE_MESSAGE(done.has_value(), done.error().message());
    auto real = action(name).verify(parameters, *again, one);
    REQUIRE_MESSAGE(real.has_value(), real.error().message());
    CHECK(*real == dry->diff);
    return {dry->diff, *real, one.text()};
  }

  SystemClock clock;
  executor::Host host;

 private:
  executor::Actions actions_;
};

}  // namespace observeai::test
