// The approval card on a terminal, for a tired person at night.
#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/plan_commands.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostShown = 20;  // Hosts, and changes of one of them

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

// "  asked by    carol"
void line(std::ostream& out, const std::string& name, const std::string& value) {
  if (value.empty()) return;
  constexpr std::size_t kNameColumns = 13;
  out << "  " << name << std::string(kNameColumns - std::min(kNameColumns - 1, name.size()), ' ')
      << value << "\n";
}

std::string joined(const json::array& list) {
  std::string out;
  for (const auto& one : list) {
    if (one.is_string()) out += (out.empty() ? "" : ", ") + printable(one.as_string());
  }
  return out;
}

std::string parameters_of(const json::object& card) {
  std::string out;
  for (const auto& one : object_at(card, "parameters")) {
    out += (out.empty() ? "" : "  ") + printable(one.key()) + "=" +
           (one.value().is_string() ? printable(one.value().as_string()) : "?");
  }
  return out;
}

void print_changes(std::ostream& out, const json::array& diff) {
  std::size_t shown = 0;
  for (const auto& value : diff) {
    if (++shown > kMostShown) {
      out << "      and " << diff.size() - kMostShown << " more (--json shows all)\n";
      return;
    }
    const auto& change = object_of(value);
    out << "      " << text_at(change, "what") << ": " << text_at(change, "before") << " -> "
        << text_at(change, "after") << "\n";
  }
}

void print_targets(Context& context, const json::object& card) {
  auto& out = context.out;
  const auto& targets = array_at(card, "targets");
  std::size_t shown = 0;
  for (const auto& value : targets) {
    if (++shown > kMostShown) {
      out << "    and " << targets.size() - kMostShown << " more hosts (--json shows all)\n";
      return;
    }
    const auto& target = object_of(value);
    const auto state = text_at(target, "state");
    const auto detail = text_at(target, "detail");
    out << "    " << text_at(target, "hostname") << " (" << text_at(target, "agent_id") << ")  "
        << text_at(target, "target") << "  " << paint(context.terminal, tone_of(state), state)
        << (detail.empty() ? "" : ": " + detail) << "\n";
    const auto& result = object_at(target, "result");
    print_changes(out, array_at(result.empty() ? target : result, "diff"));
  }
}

void print_checks(Context& context, const json::object& card) {
  const auto& checks = array_at(card, "checks");
  if (checks.empty()) return;
  std::size_t passed = 0;
  std::size_t others = 0;
  Table table({"", "CHECK", "FOUND", "MEANS"});
  for (const auto& value : checks) {
    const auto& check = object_of(value);
    const auto verdict = text_at(check, "verdict");
    if (verdict == "pass") ++passed;
    if (verdict == "not_applicable") ++others;
    if (verdict != "warn" && verdict != "fail") continue;
    table.add({Cell(verdict == "fail" ? "STOP" : "look", tone_of(verdict)), text_at(check, "name"),
               text_at(check, "value"), text_at(check, "sentence")});
  }
  line(context.out, "safety",
       std::to_string(passed) + " of " + std::to_string(checks.size() - others) + " checks pass, " +
           std::to_string(others) + " do not apply");
  if (!table.empty()) context.out << table.render(context.terminal);
}

std::string next_step(const json::object& card) {
  const auto state = text_at(card, "state");
  const auto id = text_at(card, "id");
  if (state == "simulated") {
    return "Next: observeai approve " + id + "    or: observeai reject " + id + " --reason WHY";
  }
  if (state == "proposed") return "Next: observeai plan simulate " + id;
  if (flag_at(card, "is_over")) return "It is over. What hosts answered: observeai results " + id;
  return "It goes on by itself: observeai plan show " + id;
}

}  // namespace

void print_card(Context& context, const json::object& card) {
  auto& out = context.out;
  const auto now = integer_at(card, "now_ms");
  const auto state = text_at(card, "state");
  out << "Plan " << text_at(card, "id") << ": " << text_at(card, "action") << ", tier "
      << integer_at(card, "tier") << "  " << paint(context.terminal, tone_of(state), state);
  if (!flag_at(card, "is_over"))
    out << " (until " << until(integer_at(card, "deadline_ms"), now) << ")";
  out << "\n";
  line(out, "why so", text_at(card, "detail"));
  line(out, "asked by",
       text_at(card, "requester") +
           (text_at(card, "reason").empty() ? "" : ": " + text_at(card, "reason")));
  line(out, "incident", text_at(card, "incident"));
  line(out, "parameters", parameters_of(card));
  out << "  hosts, and what would change there (after: what has changed)\n";
  print_targets(context, card);
  const auto downtime = integer_at(card, "downtime_ms");
  line(out, "downtime",
       downtime == 0 ? "none expected"
                     : "about " + text::format_duration_ms(downtime) + " on a host");
  line(out, "spreads",
       std::to_string(array_at(card, "targets").size()) + " hosts in " +
           std::to_string(integer_at(card, "waves")) + " waves");
  line(out, "way back", text_at(card, "rollback"));
  const auto& history = object_at(card, "history");
  line(out, "before",
       std::to_string(integer_at(history, "succeeded")) + " times well, " +
           std::to_string(integer_at(history, "failed")) + " failed, " +
           std::to_string(integer_at(history, "inconclusive")) + " inconclusive");
  print_checks(context, card);
  line(out, "approval", joined(array_at(card, "why_approval")));
  const auto by = joined(array_at(card, "approved_by"));
  line(out, "",
       std::to_string(array_at(card, "approved_by").size()) + " of " +
           std::to_string(integer_at(card, "approvers_needed")) + (by.empty() ? "" : ": " + by));
  line(out, "decided by", text_at(card, "decided_by"));
  out << next_step(card) << "\n";
}

}  // namespace observeai::controlplane::cli
