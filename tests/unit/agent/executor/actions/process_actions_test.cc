#include "agent/executor/actions/process_actions.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

constexpr const char* kTail =
    " S 411 1234 1234 0 -1 4194560 1702 0 0 0 31 12 0 0 20 0 3 0 5567 725192704 4410 "
    "18446744073709551615 1 1 0 0 0 0 0 4096 17515 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

std::string with_tail(std::string_view head) {
  std::string out(head);
  return out.append(kTail);
}

ProcessFacts some() {
  ProcessFacts facts;
  facts.stat = {.pid = 1234, .comm = "nginx", .state = 'S', .parent = 411, .start_ticks = 5567};
  facts.program = "/usr/sbin/nginx";
  facts.cgroup = "0::/system.slice/nginx.service\n";
  facts.user = 33;
  return facts;
}

}  // namespace

TEST_CASE("stat: every field at its place") {
  const auto stat = parse_process_stat(with_tail("1234 (nginx)"));
  REQUIRE(stat.has_value());
  CHECK(stat->pid == 1234);
  CHECK(stat->comm == "nginx");
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 411);
  CHECK(stat->flags == 4194560);
  CHECK(stat->cpu_ticks == 43);
  CHECK(stat->start_ticks == 5567);
  CHECK(stat->resident_pages == 4410);
}

TEST_CASE("stat: a name that looks like the fields after it moves none of them") {
  const auto stat = parse_process_stat(with_tail("1234 (a) Z 1 (b)"));
  REQUIRE(stat.has_value());
  CHECK(stat->comm == "a) Z 1 (b");
  CHECK(stat->state == 'S');
  CHECK(stat->start_ticks == 5567);
  CHECK(parse_process_stat(with_tail("1234 (\n)"))->comm == "\n");
}

TEST_CASE("stat: what the kernel does not write is refused") {
  for (const char* text : {"", "1234", "1234 (x", "1234 (x) S 1", "x (y) S 1 2 3", ") S ("})
    CHECK_FALSE(parse_process_stat(text).has_value());
  CHECK_FALSE(parse_process_stat(with_tail("1234x (nginx)")).has_value());
}

TEST_CASE("who may be ended") {
  CHECK(check_may_end(some(), {900, 411, 1}).has_value());
  // What a user can say of a process of theirs.
  auto sly = some();
  sly.stat.comm = "observeai-agent";
  sly.program = "/home/mallory/observeai-agent";
  CHECK(check_may_end(sly, {900}).has_value());
  sly.cgroup =
      "0::/user.slice/user-1000.slice/user@1000.service/app.slice/observeai-agent.service\n";
  CHECK(check_may_end(sly, {900}).has_value());
}

TEST_CASE("who may not") {
  const auto refused = [](ProcessFacts facts, std::vector<std::int64_t> own = {900}) {
    const auto verdict = check_may_end(facts, own);
    return !verdict && verdict.error().code() == Errc::kDenied;
  };
  auto first = some();
  first.stat.pid = 1;
  CHECK(refused(first));
  auto thread = some();
  thread.stat.flags = 0x0020'0040;
  CHECK(refused(thread));
  CHECK(refused(some(), {900, 1234, 1}));
  auto agent = some();
  agent.ours = true;
  CHECK(refused(agent));
  auto broker = some();
  broker.cgroup = "0::/system.slice/observeai-broker.service\n";
  CHECK(refused(broker));
  broker.cgroup = "12:pids:/docker/ab\n1:name=systemd:/system.slice/observeai-agent.service\n";
  CHECK(refused(broker));
  auto child = some();
  child.parent_ours = true;
  CHECK(refused(child));
}
