#include "agent/executor/actions/systemd_units.h"

#include <doctest/doctest.h>

#include "agent/executor/actions/systemd_actions.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

// As systemd 252 writes it.
constexpr const char* kShown =
    "Type=simple\nResult=exit-code\nNRestarts=3\nRemainAfterExit=no\nId=web.service\n"
    "RequiredBy=shop.service api.service\nRequisiteOf=\nBoundBy=side.service\nConsistsOf=\n"
    "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\n"
    "FragmentPath=/lib/systemd/system/web.service\n"
    "DropInPaths=/etc/systemd/system/web.service.d/a.conf "
    "/run/systemd/system/web.service.d/b.conf\n"
    "NeedDaemonReload=no\nTransient=no\nInvocationID=0a1b2c\n";

Unit web() {
  return *parse_unit(kShown);
}

Unit named(const char* id) {
  Unit out;
  out.id = id;
  out.active = "active";
  return out;
}

}  // namespace

TEST_CASE("show: every property at its place") {
  const Unit unit = web();
  CHECK(unit.id == "web.service");
  CHECK(unit.load == "loaded");
  CHECK(unit.active == "activating");
  CHECK(unit.sub == "auto-restart");
  CHECK(unit.result == "exit-code");
  CHECK(unit.restarts == 3);
  CHECK(unit.invocation == "0a1b2c");
  CHECK(unit.drop_ins == std::vector<std::string>{"/etc/systemd/system/web.service.d/a.conf",
                                                  "/run/systemd/system/web.service.d/b.conf"});
  CHECK(unit.restarted_along ==
        std::vector<std::string>{"api.service", "shop.service", "side.service"});
  CHECK_FALSE(unit.transient);
  CHECK_FALSE(unit.file_changed);
  CHECK_FALSE(unit.runs_to_its_end());
}

TEST_CASE("show: an answer that leaves out what matters is refused") {
  CHECK(parse_unit("").error().code() == Errc::kCorrupt);
  CHECK(parse_unit("Id=web.service\nLoadState=loaded\n").error().code() == Errc::kCorrupt);
}

TEST_CASE("names of units") {
  for (const char* good : {"web.service", "a@b.service", "dev-x\\x2dy.path", "t.timer", "s.socket"})
    CHECK(is_unit_name(good));
  for (const char* bad :
       {"", "web", ".service", "-H.service", "--host=x.service", "web.service ", "a b.service",
        "we*b.service", "a/b.service", "x.target", "x.mount", "x.slice", "x.scope", "../x.service",
        "a\nb.service", "$(reboot).service"})
    CHECK_FALSE_MESSAGE(is_unit_name(bad), bad);
  std::string longest(255, 'a');
  longest.replace(247, 8, ".service");
  CHECK(is_unit_name(longest));
  CHECK_FALSE(is_unit_name("a" + longest));
}

TEST_CASE("which units are left alone") {
  const auto code = [](const Unit& unit, const std::vector<Unit>& along = {},
                       const std::string& asked_for = "web.service") {
    const auto verdict = check_may_touch(unit, asked_for, along);
    return verdict ? Errc::kInternal : verdict.error().code();
  };
  CHECK(check_may_touch(web(), "web.service", {named("shop.service")}).has_value());
  CHECK(code(web(), {}, "alias.service") == Errc::kDenied);
  Unit ours = named("observeai-agent.service");
  ours.load = "loaded";
  CHECK(code(ours, {}, "observeai-agent.service") == Errc::kDenied);
  CHECK(code(web(), {named("shop.service"), named("observeai-executor.socket")}) == Errc::kDenied);
  Unit masked = web();
  masked.load = "masked";
  CHECK(code(masked) == Errc::kDenied);
  Unit broken = web();
  broken.load = "bad-setting";
  CHECK(code(broken) == Errc::kUnavailable);
  Unit transient = web();
  transient.transient = true;
  CHECK(code(transient) == Errc::kDenied);
  Unit changed = web();
  changed.file_changed = true;
  CHECK(code(changed) == Errc::kUnavailable);
}
