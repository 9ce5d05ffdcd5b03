// Which events are the end that was foretold.
#include "controlplane/outlook/happenings.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::outlook {
namespace {

model::EventRow row(const std::string& kind, const std::string& target, wire::Labels attributes) {
  model::EventRow out;
  out.agent = AgentId::parse("web-01").value();
  out.event.kind = kind;
  out.event.target = target;
  out.event.attributes = std::move(attributes);
  out.event.ts_ms = 5;
  return out;
}

TEST_CASE("events and what they are the end of") {
  struct Case {
    const char* kind;
    const char* target;
    wire::Labels attributes;
    const char* is;  // Kind and target; "": of no concern
  };
  const Case cases[] = {
      {"container.oom", "container/a", {}, "container_memory container/a"},
      {"oom.kill", "container/a", {{"constraint", "limit"}}, "container_memory container/a"},
      {"oom.kill", "container/a", {{"constraint", "host"}}, "host_memory host"},
      {"oom.kill", "unit/x", {{"constraint", "host"}}, "host_memory host"},
      {"oom.kill", "unit/x", {{"constraint", "limit"}}, ""},
      {"oom.unattributed", "host", {}, "host_memory host"},
      {"container.exit",
       "container/a",
       {{"exit_code", "137"}, {"oom", "true"}},
       "container_memory container/a"},
      {"container.exit", "container/a", {{"exit_code", "1"}, {"oom", "false"}}, " container/a"},
      {"container.exit", "container/a", {{"exit_code", "139"}, {"oom", "false"}}, " container/a"},
      {"container.exit", "container/a", {{"exit_code", "0"}}, ""},
      {"container.exit", "container/a", {{"exit_code", "130"}}, ""},
      {"container.exit", "container/a", {{"exit_code", "137"}, {"oom", "false"}}, ""},
      {"container.exit", "container/a", {{"exit_code", "143"}}, ""},
      {"container.exit", "container/a", {{"exit_code", "unknown"}}, ""},
      {"container.restart", "container/a", {}, ""},
      {"unit.restart", "unit/x.service", {}, " unit/x.service"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.kind);
    CAPTURE(one.is);
    const auto found = happening_of(row(one.kind, one.target, one.attributes));
    CHECK((found ? found->kind + " " + found->target : "") == one.is);
  }
}

TEST_CASE(
    "an event ends what is of its target and kind, an exit its errors and what was nearly "
    "exhausted") {
  const auto kill = happening_of(row("container.oom", "container/a", {})).value();
  const auto exit =
      happening_of(row("container.exit", "container/a", {{"exit_code", "1"}})).value();
  const model::ResourceName memory{kill.agent, "container_memory", "container/a", ""};
  const model::ResourceName pids{kill.agent, "pids", "container/a", ""};
  const model::ResourceName other{kill.agent, "container_memory", "container/b", ""};
  const model::ResourceName errors{kill.agent, "errors", "container/a", ""};
  CHECK(concerns(kill, memory, 0));
  CHECK_FALSE(concerns(kill, pids, 1));
  CHECK_FALSE(concerns(kill, other, 1));
  CHECK(concerns(exit, errors, 0));
  CHECK(concerns(exit, memory, 0.9));
  CHECK(concerns(exit, pids, 0.95));
  CHECK_FALSE(concerns(exit, memory, 0.89));
  CHECK_FALSE(concerns(exit, other, 1));
  auto elsewhere = memory;
  elsewhere.agent = AgentId::parse("web-02").value();
  CHECK_FALSE(concerns(kill, elsewhere, 1));
}

}  // namespace
}  // namespace observeai::controlplane::outlook
