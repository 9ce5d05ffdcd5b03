// The approval card on a terminal, for a tired person at night: what, where, how bad, may I, what next.
#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/page.h"
#include "controlplane/cli/plan_commands.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostShown = 20;  // Hosts, and changes of one of them
constexpr std::size_t kMostKeys = 2;    // Of one person

Tone tone_of(const std::string& state) {
  if (state == "succeeded" || state == "pass" || state == "approved") return Tone::kGood;
  if (state == "failed" || state == "fail" || state == "refused" || state == "rolled_back" ||
      state == "silent")
    return Tone::kBad;
  if (state == "inconclusive" || state == "warn" || state == "expired" || state == "rejected" ||
      state == "cancelled")
    return Tone::kWarning;
  return Tone::kPlain;
}

Cell mark_of(const Terminal& terminal, const std::string& verdict) {
  if (verdict == "fail") return {terminal.unicode ? "✗" : "X", Tone::kBad};
  if (verdict == "warn") return {"!", Tone::kWarning};
  if (verdict == "pass") return {terminal.unicode ? "✓" : "+", Tone::kGood};
  return {"-", Tone::kFaint};
}

std::string joined(const json::array& list, const char* between = ", ") {
  std::string out;
  for (const auto& one : list) {
    if (one.is_string()) out += (out.empty() ? "" : between) + printable(one.as_string());
  }
  return out;
}

std::string members_of(const json::object& object) {
  std::string out;
  for (const auto& one : object) {
    out += (out.empty() ? "" : ", ") + printable(one.key()) + "=" +
           (one.value().is_string() ? printable(one.value().as_string()) : "?");
  }
  return out;
}

const json::object& check_named(const json::object& card, std::string_view name) {
  static const json::object kNone;
  for (const auto& value : array_at(card, "checks")) {
    const auto& check = object_of(value);
    if (raw_text_at(check, "name") == name) return check;
  }
  return kNone;
}

std::string hosts_of(const json::object& card) {
  const auto& targets = array_at(card, "targets");
  if (targets.size() != 1)
    return std::to_string(targets.size()) + " hosts in " +
           std::to_string(integer_at(card, "waves")) + " waves";
  return text_at(object_of(targets.at(0)), "hostname");
}

std::string what_of(const json::object& card) {
  const auto& targets = array_at(card, "targets");
  const auto target = targets.empty() ? "" : text_at(object_of(targets.at(0)), "target");
  return text_at(card, "action") + (target.empty() ? "" : " of " + target) + " on " +
         hosts_of(card);
}

// The question that this state puts, or what became of it.
void print_head(Page& page, const json::object& card) {
  const auto state = text_at(card, "state");
  const auto now = integer_at(card, "now_ms");
  const auto deadline = integer_at(card, "deadline_ms");
  std::string line = state;
  if (state == "simulated") {
    line = "waits for approval, " + std::to_string(array_at(card, "approved_by").size()) + " of " +
           std::to_string(integer_at(card, "approvers_needed")) + "; expires " +
           until(deadline, now);
  } else if (!flag_at(card, "is_over")) {
    line += "; at the latest over " + until(deadline, now);
  }
  page.rule();
  page.text(0, what_of(card), Tone::kStrong);
  page.text(0, line, state == "simulated" ? Tone::kWarning : tone_of(state));
  page.text(0, text_at(card, "detail"));
  page.rule();
}

std::string number_text(double number) {
  auto text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// "m of the target, back in 0 to 1.5"; "" when the plan names none.
std::string symptom_of(const json::object& card) {
  const auto& symptom = object_at(card, "symptom");
  const auto metric = text_at(symptom, "metric");
  if (metric.empty()) return "";
  return metric + " of the target, back in " + number_text(number_at(symptom, "low").value_or(0)) +
         " to " + number_text(number_at(symptom, "high").value_or(0));
}

// What the requester ticked: each makes a check of the list a warning.
std::string accepted_of(const json::object& card) {
  std::string out;
  const auto say = [&](const char* tick, const char* words) {
    if (flag_at(card, tick)) out += (out.empty() ? "" : ", ") + std::string(words);
  };
  say("accept_downtime", "downtime");
  say("accept_blast_radius", "blast radius");
  say("all_at_once", "all hosts at once, which nothing stops");
  return out;
}

void print_wish(Page& page, const json::object& card) {
  const auto reason = text_at(card, "reason");
  page.field("asked by", text_at(card, "requester") + ", " +
                             since(integer_at(card, "created_ms"), integer_at(card, "now_ms")) +
                             (reason.empty() ? "" : ": " + reason));
  page.field("incident", text_at(card, "incident"));
  page.field("parameters", members_of(object_at(card, "parameters")));
  page.field("helped when", symptom_of(card));
  page.field("accepts", accepted_of(card), Tone::kWarning);
  page.field("plan", text_at(card, "id") + ", tier " + std::to_string(integer_at(card, "tier")));
}

void print_diff(Page& page, const json::array& diff) {
  std::size_t shown = 0;
  for (const auto& value : diff) {
    if (++shown > kMostShown) {
      page.text(4, "and " + std::to_string(diff.size() - kMostShown) + " more (--json shows all)");
      return;
    }
    const auto& change = object_of(value);
    const auto before = text_at(change, "before");
    page.text(4, text_at(change, "what") + ": " + (before.empty() ? "" : before + " ") + "-> " +
                     text_at(change, "after"));
  }
}

void print_result(Page& page, const Terminal& terminal, const json::object& target) {
  const auto& result = object_at(target, "result");
  std::size_t number = 0;
  for (const auto& value : array_at(result, "steps")) {
    const auto& step = object_of(value);
    const auto detail = text_at(step, "detail");
    page.text(4, std::to_string(++number) + ". " + text_at(step, "name") +
                     (detail.empty() ? "" : " " + detail) + ", " +
                     text::format_duration_ms(integer_at(step, "duration_ms")));
  }
  for (const auto& value : array_at(target, "verification")) {
    const auto& one = object_of(value);
    if (raw_text_at(one, "verdict") == "not_applicable") continue;
    page.finding(mark_of(terminal, raw_text_at(one, "verdict")), text_at(one, "name"),
                 text_at(one, "value"), text_at(one, "sentence"));
  }
}

void print_targets(Page& page, const Terminal& terminal, const json::object& card) {
  const auto& targets = array_at(card, "targets");
  page.section(flag_at(card, "is_over") ? "WHAT WAS DONE" : "WHAT CHANGES");
  std::size_t shown = 0;
  for (const auto& value : targets) {
    if (++shown > kMostShown) {
      page.text(2, "and " + std::to_string(targets.size() - kMostShown) +
                       " more hosts (--json shows all)");
      return;
    }
    const auto& target = object_of(value);
    const auto state = text_at(target, "state");
    const auto detail = text_at(target, "detail");
    const auto labels = members_of(object_at(target, "labels"));
    page.text(2, text_at(target, "hostname") + " (" + text_at(target, "agent_id") + "), " +
                     text_at(target, "target") + (labels.empty() ? "" : "; " + labels));
    const auto& result = object_at(target, "result");
    print_diff(page, array_at(result.empty() ? target : result, "diff"));
    if (const auto facts = members_of(object_at(target, "facts")); result.empty())
      page.text(4, facts, Tone::kFaint);
    if (state != "simulated" && state != "planned")
      page.text(4, state + (detail.empty() ? "" : ": " + detail), tone_of(state));
    print_result(page, terminal, target);
  }
}

std::string history_of(const json::object& card) {
  const auto& history = object_at(card, "history");
  const auto worked = integer_at(history, "succeeded");
  const auto all = worked + integer_at(history, "failed") + integer_at(history, "inconclusive");
  if (all == 0) return "never done before";
  const auto median = integer_at(history, "median_ms");
  return std::to_string(worked) + " of " + std::to_string(all) + " worked" +
         (median == 0 ? "" : ", proven after " + text::format_duration_ms(median) + " (median)");
}

void print_impact(Page& page, const json::object& card) {
  page.section("IMPACT");
  const auto tone = [&](const char* check) {
    const auto verdict = raw_text_at(check_named(card, check), "verdict");
    return verdict == "pass" ? Tone::kPlain : tone_of(verdict);
  };
  page.field("goes down", text_at(check_named(card, "blast_radius"), "value"),
             tone("blast_radius"));
  const auto downtime = integer_at(card, "downtime_ms");
  page.field("for",
             downtime == 0 ? "no time: no interruption is expected"
                           : "about " + text::format_duration_ms(downtime),
             tone("downtime"));
  page.field("undo", text_at(card, "rollback"));
  page.field("history", history_of(card));
  for (const auto& value : array_at(card, "alternatives")) {
    const auto& one = object_of(value);
    page.field("instead", text_at(one, "action") + ": " + text_at(one, "why_not"));
  }
}

void print_checks(Page& page, const Terminal& terminal, const json::object& card, Checks wanted) {
  std::map<std::string, std::vector<const json::object*>> by_verdict;
  for (const auto& value : array_at(card, "checks"))
    by_verdict[raw_text_at(object_of(value), "verdict")].push_back(&object_of(value));
  if (by_verdict.empty()) return;
  const auto count = [&](const char* verdict) {
    return std::to_string(by_verdict[verdict].size());
  };
  page.section("SAFETY", count("fail") + " stop, " + count("warn") + " to look at, " +
                             count("pass") + " pass, " + count("not_applicable") + " do not apply");
  const bool is_over = flag_at(card, "is_over");
  const bool all = wanted == Checks::kAll;
  for (const char* verdict : {"fail", "warn", "pass", "not_applicable"}) {
    if (!all && (verdict == std::string_view("pass") || verdict[0] == 'n')) break;
    if (!all && is_over && verdict != std::string_view("fail")) break;
    for (const auto* check : by_verdict[verdict]) {
      page.finding(mark_of(terminal, verdict), text_at(*check, "name"), text_at(*check, "value"),
                   text_at(*check, "sentence"));
    }
  }
  if (is_over || all) return;
  const auto good = mark_of(terminal, "pass");
  std::vector<Cell> cells;
  for (const auto* check : by_verdict["pass"]) {
    cells.emplace_back(good.text + " " + text_at(*check, "name") + ": " + text_at(*check, "value"),
                       Tone::kFaint);
  }
  page.grid(cells);
}

std::string keys_of(const json::object& approver) {
  const auto& keys = array_at(approver, "key_ids");
  std::string out;
  for (std::size_t i = 0; i < keys.size() && i < kMostKeys; ++i) {
    if (keys[i].is_string()) out += (out.empty() ? "" : ", ") + printable(keys[i].as_string());
  }
  if (keys.size() > kMostKeys) out += " and " + std::to_string(keys.size() - kMostKeys) + " more";
  return out;
}

// Of what was signed.
std::string end_of(std::int64_t expires_ms, std::int64_t now_ms) {
  return expires_ms <= now_ms ? "ended" : "ends " + until(expires_ms, now_ms);
}

void print_approval(Page& page, const json::object& card) {
  page.section("APPROVAL");
  page.field("rule", joined(array_at(card, "why_approval"), "; "));
  std::string able;
  for (const auto& value : array_at(card, "may_approve")) {
    const auto& one = object_of(value);
    able += (able.empty() ? "" : ", ") + text_at(one, "person") + " (key " + keys_of(one) + ")";
  }
  const auto needed = integer_at(card, "approvers_needed");
  if (needed > 0) {
    page.field("needs",
               std::to_string(needed) + " of: " +
                   (able.empty() ? "nobody: no approver but the requester has a key" : able),
               able.empty() ? Tone::kBad : Tone::kPlain);
  }
  std::string given;
  for (const auto& value : array_at(card, "approvals")) {
    const auto& one = object_of(value);
    const auto reason = text_at(one, "reason");
    given += (given.empty() ? "" : "; ") + text_at(one, "decision") + " by " +
             text_at(one, "person") + " (key " + text_at(one, "key_id") + ", " +
             end_of(integer_at(one, "expires_ms"), integer_at(card, "now_ms")) + ")" +
             (reason.empty() ? "" : ": " + reason);
  }
  page.field("given", given);
  page.field("decided by", text_at(card, "decided_by"));
  const auto& audit = object_at(card, "audit");
  if (integer_at(audit, "seq") > 0) {
    page.field("audit",
               "entry " + std::to_string(integer_at(audit, "seq")) + ", " + text_at(audit, "hash"));
  }
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@=+,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// `observeai plan create ...` of the plan that takes it back on one host, with the ticks of this one.
std::string way_back_of(const json::object& card, const json::object& way) {
  std::string out = "observeai plan create " + shell_word(text_at(way, "action")) + " --host " +
                    shell_word(text_at(way, "agent_id"));
  for (const auto& one : object_at(way, "parameters")) {
    out += " --set " + shell_word(printable(one.key()) + "=" +
                                  (one.value().is_string() ? printable(one.value().as_string())
                                                           : std::string("?")));
  }
  if (flag_at(card, "accept_downtime")) out += " --accept-downtime";
  return out + " --reason " + shell_word("takes back " + text_at(card, "id"));
}

// Each on a line of its own: to be copied.
std::vector<std::string> next_steps(const json::object& card) {
  const auto state = text_at(card, "state");
  const auto id = text_at(card, "id");
  if (state == "simulated")
    return {"Next:  observeai approve " + id, "   or  observeai reject " + id + " --reason WHY"};
  if (state == "proposed") return {"Next:  observeai plan simulate " + id};
  if (flag_at(card, "is_over")) {
    std::vector<std::string> out{"What hosts answered:  observeai results " + id};
    const auto& ways = array_at(card, "ways_back");
    if (!ways.empty()) out.emplace_back("To take it back, once the host's own cool-down is over:");
    for (std::size_t i = 0; i < ways.size() && i < kMostShown; ++i)
      out.push_back("  " + way_back_of(card, object_of(ways[i])));
    if (ways.size() > kMostShown)
      out.push_back("  and " + std::to_string(ways.size() - kMostShown) + " more (--json)");
    return out;
  }
  return {"It goes on by itself:  observeai plan show " + id};
}

}  // namespace

void print_card(Context& context, const json::object& card, Checks checks) {
  Page page(context.out, context.terminal);
  print_head(page, card);
  print_wish(page, card);
  print_targets(page, context.terminal, card);
  if (!flag_at(card, "is_over")) print_impact(page, card);
  print_checks(page, context.terminal, card, checks);
  print_approval(page, card);
  context.out << "\n";
  for (const auto& step : next_steps(card))
    context.out << paint(context.terminal, Tone::kStrong, step) << "\n";
}

}  // namespace observeai::controlplane::cli
