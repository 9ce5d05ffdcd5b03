// The approval card as it stands on a terminal.
#include <cstdlib>
#include <sstream>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "controlplane/cli/page.h"
#include "controlplane/cli/plan_commands.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "tests/unit/controlplane/cli/scripted_client.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr const char* kCard = R"card({
  "now_ms": 1000000, "id": "p-0123456789abcdef", "action": "docker.restart", "tier": 1,
  "parameters": {"container": "web", "stop_timeout_s": "10"}, "state": "simulated",
  "is_over": false, "detail": "", "reason": "it answers nothing since the deploy of 14:02",
  "incident": "INC-42", "requester": "carol", "created_ms": 900000, "deadline_ms": 1800000,
  "why_approval": ["catalogue/tier-1: reversible, on one workload; one approver"],
  "approvers_needed": 1, "approved_by": [], "approvals": [],
  "may_approve": [{"person": "ann", "key_ids": ["0011223344556677"]}],
  "alternatives": [{"action": "collect.diagnostics", "why_not": "only reads"}],
  "downtime_ms": 11000, "rollback": "none: it needs none", "waves": 1,
  "history": {"succeeded": 7, "failed": 1, "inconclusive": 0, "median_ms": 42000},
  "audit": {"seq": 17, "hash": "abcdef"},
  "checks": [
    {"name": "blast_radius", "verdict": "pass", "value": "1 of 3 replicas of shop (33 %)",
     "sentence": "one workload on one host"},
    {"name": "dependencies", "verdict": "warn", "value": "unknown",
     "sentence": "who depends on container/web is not known: it has no neighbours in a compose project"},
    {"name": "cool_down", "verdict": "fail", "value": "12m left",
     "sentence": "the same was done to container/web on web-1 3m ago"},
    {"name": "gitops", "verdict": "not_applicable", "value": "", "sentence": "for Kubernetes only"}],
  "targets": [{"agent_id": "a-1", "hostname": "web-1", "target": "container/web",
    "state": "simulated", "detail": "", "labels": {"environment": "production", "owner": "shop"},
    "diff": [{"what": "container web", "before": "up", "after": "up, restarted"}],
    "facts": {"replicas": "3"}, "verification": [], "result": null}]})card";

std::string shown(const json::value& card, std::size_t columns, bool unicode = true,
                  Checks checks = Checks::kShort) {
  ApiClient api(std::make_unique<ScriptedClient>(), "oak1_id_secret");
  Terminal terminal;
  terminal.columns = columns;
  terminal.unicode = unicode;
  std::ostringstream out;
  std::ostringstream err;
  Context context{api, terminal, false, out, err};
  print_card(context, card.as_object(), checks);
  return out.str();
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("every field of the card is on it, and no line is wider than the terminal") {
  for (const std::size_t columns : {60U, 80U, 120U, 100'000U}) {
    CAPTURE(columns);
    const auto text = shown(json::parse(kCard), columns);
    for (const auto line : text::split(text, '\n'))
      CHECK(display_width(line) <= std::min<std::size_t>(columns, 120));
    for (const char* part : {"docker.restart of container/web on web-1",
                             "waits for approval, 0 of 1",
                             "carol",
                             "INC-42",
                             "container=web",
                             "environment=production",
                             "owner=shop",
                             "up, restarted",
                             "1 of 3 replicas of shop (33 %)",
                             "about 11s",
                             "none: it needs none",
                             "7 of 8 worked",
                             "42s",
                             "collect.diagnostics",
                             "only reads",
                             "1 stop, 1 to look at, 1 pass",
                             "12m left",
                             "catalogue/tier-1",
                             "ann (key 0011223344556677)",
                             "entry 17",
                             "observeai approve p-0123456789abcdef"}) {
      CAPTURE(part);
      // A line's end may stand between two words.
      std::string flat;
      for (const char c : text)
        if (c != '\n' && !(c == ' ' && flat.ends_with(' ')))
          flat += c;
        else if (!flat.ends_with(' '))
          flat += ' ';
      CHECK(has(flat, part));
    }
  }
}

// OBSERVEAI_UPDATE_GOLDEN=1 writes what is there now: look at the difference before it is committed.
TEST_CASE("the card as it stands on 80 and on 120 columns") {
  auto value = json::parse(kCard);
  auto& card = value.as_object();
  card["accept_downtime"] = true;
  card["symptom"] = json::parse(R"({"metric": "web_errors", "low": 0, "high": 1.5})");
  const char* update = std::getenv("OBSERVEAI_UPDATE_GOLDEN");
  for (const char* columns : {"80", "120"}) {
    CAPTURE(columns);
    std::string path = OBSERVEAI_GOLDEN;
    path.append("/cli/plan_card_").append(columns).append(".txt");
    const auto text = shown(value, std::stoul(columns));
    if (update != nullptr && *update == '1') REQUIRE(files::write_atomic(path, text, 0644));
    const auto golden = files::read(path);
    REQUIRE(golden);
    CHECK(text == *golden);
  }
}

TEST_CASE("what stops comes first, then what is to be looked at") {
  const auto text = shown(json::parse(kCard), 80);
  CHECK(text.find("cool_down") < text.find("dependencies"));
  CHECK(text.find("dependencies") < text.find("blast_radius:"));
  CHECK_FALSE(has(text, "Kubernetes"));
}

TEST_CASE("without UTF-8 there is none") {
  const auto text = shown(json::parse(kCard), 80, false);
  for (const char c : text) CHECK(static_cast<unsigned char>(c) < 0x80);
}

TEST_CASE("when it is over: what was done, how it was proven, and what became of it") {
  auto value = json::parse(kCard);
  auto& card = value.as_object();
  card["state"] = "succeeded";
  card["is_over"] = true;
  auto& target = card["targets"].as_array()[0].as_object();
  target["state"] = "succeeded";
  target["detail"] = "the target's own signals are as intended";
  target["result"] = json::parse(R"({"outcome": "succeeded", "diff": [], "steps": [
      {"name": "restart", "detail": "3f2a", "duration_ms": 2100}]})");
  target["verification"] = json::parse(R"([
      {"name": "restarts", "verdict": "pass", "value": "0", "sentence": "it has not restarted"}])");
  const auto text = shown(value, 80);
  CHECK(has(text, "WHAT WAS DONE"));
  CHECK(has(text, "1. restart 3f2a, 2s"));
  CHECK(has(text, "it has not restarted"));
  CHECK(has(text, "signals are as intended"));
  CHECK_FALSE(has(text, "IMPACT"));
  CHECK(has(text, "observeai results p-0123456789abcdef"));
}

TEST_CASE("what was done and is not well has its way back below, ready to be run") {
  auto value = json::parse(kCard);
  auto& card = value.as_object();
  card["state"] = "failed";
  card["is_over"] = true;
  card["accept_downtime"] = true;
  card["ways_back"] = json::parse(R"([{"agent_id": "web-1-aa", "action": "docker.update_memory",
      "parameters": {"container": "web", "memory_bytes": "33554432"}},
      {"agent_id": "web-2-bb", "action": "docker.stop", "parameters": {"container": "it's; reboot"}}])");
  const auto text = shown(value, 80);
  CHECK(has(text,
            "\n  observeai plan create docker.update_memory --host web-1-aa --set container=web "
            "--set memory_bytes=33554432 --accept-downtime --reason 'takes back "
            "p-0123456789abcdef'\n"));
  CHECK(has(text, "--set 'container=it'\\''s; reboot'"));
}

TEST_CASE("what was ticked, when it has helped, and how long an approval lasts are on the card") {
  auto value = json::parse(kCard);
  auto& card = value.as_object();
  CHECK_FALSE(has(shown(value, 120), "accepts"));
  card["accept_downtime"] = card["accept_blast_radius"] = card["all_at_once"] = true;
  card["symptom"] = json::parse(R"({"metric": "web_errors", "low": 0, "high": 1.5})");
  card["approvals"] = json::parse(R"([{"person": "ann", "key_id": "0011223344556677",
      "decision": "approve", "reason": "", "expires_ms": 1600000}])");
  const auto text = shown(value, 120);
  CHECK(has(text, "downtime, blast radius, all hosts at once, which nothing stops"));
  CHECK(has(text, "web_errors of the target, back in 0 to 1.5"));
  CHECK(has(text, "approve by ann (key 0011223344556677, ends in 10m)"));
}

TEST_CASE("with --checks every one of the list says what it means") {
  const auto text = shown(json::parse(kCard), 120, true, Checks::kAll);
  for (const char* part : {"one workload on one host", "for Kubernetes only", "was done to"})
    CHECK(has(text, part));
  CHECK_FALSE(has(shown(json::parse(kCard), 120), "for Kubernetes only"));
}

TEST_CASE("nobody who could approve is said") {
  auto value = json::parse(kCard);
  value.as_object()["may_approve"] = json::array();
  CHECK(has(shown(value, 120), "nobody: no approver but the requester has a key"));
}

TEST_CASE("an older server's card is shown without what it does not say") {
  const auto text = shown(json::parse(R"({"id": "p-1", "state": "simulated"})"), 80);
  CHECK(has(text, "observeai approve p-1"));
}

TEST_CASE("a paragraph ends lines at words, and cuts only a word that is longer than a line") {
  using Lines = std::vector<std::string>;
  CHECK(wrapped("", 10) == Lines{""});
  CHECK(wrapped("one two  three", 8) == Lines{"one two", "three"});
  CHECK(wrapped("abcdefghij", 4) == Lines{"abcd", "efgh", "ij"});
  CHECK(wrapped("ab abcdefgh", 4) == Lines{"ab", "abcd", "efgh"});
  CHECK(wrapped("äöüß äö", 4) == Lines{"äöüß", "äö"});
}

}  // namespace
}  // namespace observeai::controlplane::cli
