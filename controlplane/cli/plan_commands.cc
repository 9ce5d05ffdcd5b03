#include "controlplane/cli/plan_commands.h"

#include <algorithm>
#include <thread>

#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/text.h"
#include "protocol/http/http_client.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kLook(500);
constexpr int kLooks = 260;  // Somewhat longer than a simulation may take

std::string path_of(const std::string& plan) {
  return "/v1/plans/" + http::percent_encode(plan);
}

template <class Human>
Result<void> present(Context& context, const json::value& answer, Human human) {
  if (context.json) {
    context.out << pretty(answer);
  } else {
    human(object_of(answer));
  }
  return {};
}

Result<void> present_card(Context& context, const json::value& answer) {
  return present(context, answer, [&](const json::object& card) { print_card(context, card); });
}

Result<std::pair<std::string, std::string>> setting_of(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return Error(Errc::kInvalid, "--set wants NAME=VALUE, not " + printable(text));
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

// "METRIC:LOW:HIGH"
Result<void> add_symptom(json::object& body, const std::string& text) {
  if (text.empty()) return {};
  const auto parts = text::split(text, ':');
  if (parts.size() != 3)
    return Error(Errc::kInvalid, "--symptom wants METRIC:LOW:HIGH, not " + printable(text));
  body["symptom_metric"] = parts[0];
  body["symptom_low"] = parts[1];
  body["symptom_high"] = parts[2];
  return {};
}

Result<json::object> body_of(const PlanOptions& options) {
  json::object body{{"action", options.action},
                    {"reason", options.reason},
                    {"incident", options.incident},
                    {"accept_downtime", options.accept_downtime},
                    {"accept_blast_radius", options.accept_blast_radius},
                    {"roll_back", options.roll_back},
                    {"all_at_once", options.all_at_once}};
  json::array hosts;
  for (const auto& host : options.hosts) hosts.emplace_back(host);
  body["hosts"] = std::move(hosts);
  json::object parameters;
  for (const auto& one : options.settings) {
    TRY(const auto setting, setting_of(one));
    if (!parameters.emplace(setting.first, setting.second).second)
      return Error(Errc::kInvalid, "--set names " + printable(setting.first) + " twice");
  }
  body["parameters"] = std::move(parameters);
  if (!options.timeout.empty()) {
    TRY(const auto ms, text::parse_duration_ms(options.timeout));
    body["timeout_ms"] = ms;
  }
  if (!options.approval_lifetime.empty()) {
    TRY(const auto ms, text::parse_duration_ms(options.approval_lifetime));
    body["approval_lifetime_ms"] = ms;
  }
  TRY_VOID(add_symptom(body, options.symptom));
  return body;
}

// Until the hosts have said what they would do.
Result<json::value> await_simulation(Context& context, json::value card) {
  const auto state = [&card] { return raw_text_at(object_of(card), "state"); };
  const auto id = raw_text_at(object_of(card), "id");
  for (int i = 0; i < kLooks && (state() == "simulating" || state() == "proposed"); ++i) {
    if (i == 1 && !context.json) context.err << "The hosts are asked what they would do ...\n";
    std::this_thread::sleep_for(kLook);
    TRY(card, context.api.get(path_of(id)));
  }
  return card;
}

Result<void> after_simulation(Context& context, json::value card) {
  TRY(const auto done, await_simulation(context, std::move(card)));
  TRY_VOID(present_card(context, done));
  if (raw_text_at(object_of(done), "state") == "failed")
    return Error(Errc::kLimit, "the plan cannot go on; nothing was changed anywhere");
  return {};
}

void print_result(Context& context, const json::object& result, const std::string& of) {
  context.out << of << ": " << text_at(result, "outcome");
  for (const char* name : {"reason", "message"}) {
    const auto text = text_at(result, name);
    if (!text.empty()) context.out << ", " << text;
  }
  context.out << "\n";
  for (const auto& value : array_at(result, "steps")) {
    const auto& step = object_of(value);
    context.out << "    " << text_at(step, "name") << " "
                << text::format_duration_ms(integer_at(step, "duration_ms")) << "  "
                << text_at(step, "detail") << "\n";
  }
  for (const auto& value : array_at(result, "diff")) {
    const auto& change = object_of(value);
    context.out << "    " << text_at(change, "what") << ": " << text_at(change, "before") << " -> "
                << text_at(change, "after") << "\n";
  }
  const auto output = raw_text_at(result, "output");
  if (output.empty()) return;
  context.out << "    what it printed" << (flag_at(result, "output_truncated") ? ", cut" : "")
              << ":\n";
  for (const auto part : text::split(output, '\n'))
    context.out << "      | " << printable(part) << "\n";
}

Result<void> find_action(const json::object& answer, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& value : array_at(answer, "actions"))
    known.push_back(raw_text_at(object_of(value), "name"));
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  const auto near = text::nearest(name, known);
  return Error(Errc::kNotFound, "there is no action " + printable(name) +
                                    (near ? "; did you mean " + *near + "?"
                                          : "; `observeai plan actions` lists them"));
}

}  // namespace

Result<void> create_plan(Context& context, const PlanOptions& options) {
  TRY(auto body, body_of(options));
  TRY(auto card, context.api.post("/v1/plans", body));
  if (options.no_wait) return present_card(context, card);
  return after_simulation(context, std::move(card));
}

Result<void> simulate_plan(Context& context, const std::string& id) {
  TRY(auto card, context.api.post(path_of(id) + "/simulate", json::object()));
  return after_simulation(context, std::move(card));
}

Result<void> list_plans(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/plans", "plans"));
  return present(context, answer, [&](const json::object& body) {
    const auto now = integer_at(body, "now_ms");
    Table table({"ID", "STATE", "ACTION", ">TIER", "BY", "MADE", "UNTIL", "WHY"}, {"WHY"});
    for (const auto& value : array_at(body, "plans")) {
      const auto& plan = object_of(value);
      table.add({text_at(plan, "id"), state_cell(text_at(plan, "state")), text_at(plan, "action"),
                 std::to_string(integer_at(plan, "tier")), text_at(plan, "requester"),
                 since(integer_at(plan, "created_ms"), now),
                 flag_at(plan, "is_over") ? "-" : until(integer_at(plan, "deadline_ms"), now),
                 text_at(plan, "detail")});
    }
    context.out << (table.empty() ? "No plans. Make one: observeai plan create ACTION --host H\n"
                                  : table.render(context.terminal));
  });
}

Result<void> show_plan(Context& context, const std::string& id, bool all_checks) {
  TRY(const auto answer, context.api.get(path_of(id)));
  return present(context, answer, [&](const json::object& card) {
    print_card(context, card, all_checks ? Checks::kAll : Checks::kShort);
  });
}

Result<void> cancel_plan(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.post(path_of(id) + "/cancel", json::object()));
  return present(context, answer, [&](const json::object& plan) {
    context.out << "Plan " << text_at(plan, "id") << " is " << text_at(plan, "state")
                << (flag_at(plan, "is_over") ? ".\n"
                                             : "; what is under way ends, no further host is sent "
                                               "anything.\n");
  });
}

Result<void> reject_plan(Context& context, const std::string& id, const std::string& reason) {
  TRY(const auto answer,
      context.api.post(path_of(id) + "/reject", json::object{{"reason", reason}}));
  return present(context, answer, [&](const json::object& plan) {
    context.out << "Plan " << text_at(plan, "id") << " is " << text_at(plan, "state") << ".\n";
  });
}

Result<void> show_actions(Context& context, const std::string& name) {
  TRY(const auto answer, context.api.get("/v1/actions"));
  if (!name.empty()) {
    TRY_VOID(find_action(object_of(answer), name));
  }
  return present(context, answer, [&](const json::object& body) {
    Table table({"ACTION", ">TIER", "UNDO", "WHAT"});
    for (const auto& value : array_at(body, "actions")) {
      const auto& action = object_of(value);
      if (!name.empty() && text_at(action, "name") != name) continue;
      table.add({text_at(action, "name"), std::to_string(integer_at(action, "tier")),
                 flag_at(action, "undo") ? "yes" : "no", text_at(action, "summary")});
    }
    context.out << table.render(context.terminal);
    for (const auto& value : array_at(body, "actions")) {
      const auto& action = object_of(value);
      if (name.empty() || text_at(action, "name") != name) continue;
      for (const auto& one : array_at(action, "parameters")) {
        const auto& parameter = object_of(one);
        context.out << "  --set " << text_at(parameter, "name") << "=" << text_at(parameter, "kind")
                    << (flag_at(parameter, "required") ? "  (needed)  " : "  ")
                    << text_at(parameter, "help") << "\n";
      }
    }
  });
}

Result<void> list_commands(Context& context, const std::string& id) {
  if (!id.empty()) {
    TRY(const auto answer, context.api.get("/v1/commands/" + http::percent_encode(id)));
    return present(context, answer, [&](const json::object& command) {
      context.out << "Command " << text_at(command, "id") << " of plan " << text_at(command, "plan")
                  << " to " << text_at(command, "agent_id") << ": " << text_at(command, "mode")
                  << ", " << text_at(command, "state") << "\n";
      for (const auto& value : array_at(command, "results")) {
        const auto& result = object_of(value);
        const auto at = local_clock(integer_at(result, "received_ms"));
        if (flag_at(result, "valid")) {
          print_result(context, object_at(result, "result"), "  " + at + " result");
        } else {
          context.out << "  " << at << " a result that is not proven to be the host's\n";
        }
      }
    });
  }
  TRY(const auto answer, context.api.get_all("/v1/commands", "commands"));
  return present(context, answer, [&](const json::object& body) {
    Table table({"ID", "TIME", "HOST", "MODE", "STATE", ">SEQ", "PLAN"});
    for (const auto& value : array_at(body, "commands")) {
      const auto& command = object_of(value);
      table.add({text_at(command, "id"), local_clock(integer_at(command, "issued_ms")),
                 text_at(command, "agent_id"), text_at(command, "mode"), text_at(command, "state"),
                 std::to_string(integer_at(command, "seq")), text_at(command, "plan")});
    }
    context.out << (table.empty() ? "No commands.\n" : table.render(context.terminal));
  });
}

Result<void> show_results(Context& context, const std::string& plan) {
  TRY(const auto answer, context.api.get(path_of(plan)));
  return present(context, answer, [&](const json::object& card) {
    context.out << "Plan " << text_at(card, "id") << ": " << text_at(card, "action") << ", "
                << text_at(card, "state") << "\n";
    for (const auto& value : array_at(card, "targets")) {
      const auto& target = object_of(value);
      const auto name = "  " + text_at(target, "hostname") + " " + text_at(target, "target") +
                        " (" + text_at(target, "state") + ")";
      if (target.contains("result") && target.at("result").is_object()) {
        print_result(context, object_at(target, "result"), name);
      } else {
        context.out << name << ": no result. " << text_at(target, "detail") << "\n";
      }
    }
  });
}

Result<void> show_maintenance(Context& context) {
  TRY(const auto answer, context.api.get("/v1/maintenance"));
  return present(context, answer, [&](const json::object& freeze) {
    if (!flag_at(freeze, "active")) {
      context.out << "No maintenance freeze.\n";
      return;
    }
    const auto until_ms = integer_at(freeze, "until_ms");
    context.out << "Frozen by " << text_at(freeze, "by") << ": " << text_at(freeze, "reason")
                << " (until " << (until_ms == 0 ? "it is cleared" : local_clock(until_ms))
                << "). No plan that changes anything begins.\n";
  });
}

Result<void> set_maintenance(Context& context, bool active, const std::string& reason,
                             const std::string& duration) {
  json::object body{{"active", active}};
  if (!reason.empty()) body["reason"] = reason;
  if (!duration.empty()) {
    TRY(const auto ms, text::parse_duration_ms(duration));
    if (ms <= 0) return Error(Errc::kInvalid, "--for: a freeze lasts longer than no time");
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    body["until_ms"] = now.count() + ms;
  }
  TRY_VOID(context.api.post("/v1/maintenance", body));
  return show_maintenance(context);
}

}  // namespace observeai::controlplane::cli
