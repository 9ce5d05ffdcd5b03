#include "controlplane/cli/plan_console.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "protocol/base/clock.h"

namespace observeai::controlplane::cli {

PlanConsole::PlanConsole(CLI::App& app, bool& json, Choose choose)
    : json_(json), choose_(std::move(choose)) {
  add_plan(app);
  add_decisions(app);
  add_looks(app);
}

CLI::App* PlanConsole::command(CLI::App& parent, const char* name, const char* help,
                               Action action) {
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->add_flag("--json", json_, "The server's answer as JSON");
  sub->callback([this, action = std::move(action)] { choose_(action); });
  return sub;
}

void PlanConsole::add_plan(CLI::App& app) {
  CLI::App* plan = app.add_subcommand("plan", "Have hosts do something: propose, look, stop");
  plan->require_subcommand(1);
  CLI::App* create = command(*plan, "create", "Propose an action; the hosts say what it would do",
                             [this](Context& c) { return create_plan(c, plan_); });
  create->add_option("ACTION", plan_.action, "One of `observeai plan actions`")->required();
  create->add_option("--host", plan_.hosts, "On this host (name or id); any number")->required();
  create->add_option("--set", plan_.settings, "A parameter: NAME=VALUE; any number");
  create->add_option("--reason", plan_.reason, "For the approver");
  create->add_option("--incident", plan_.incident, "The incident that it is for");
  create->add_flag("--accept-downtime", plan_.accept_downtime,
                   "Also when no other replica serves meanwhile");
  create->add_flag("--accept-blast-radius", plan_.accept_blast_radius,
                   "Also on more than one host, or more than 20 % of a service");
  create->add_flag("--roll-back", plan_.roll_back,
                   "A host undoes it when its own check right after it fails; what is found\n"
                   "later is told, with the plan that takes it back");
  create->add_flag("--all-at-once", plan_.all_at_once, "Not 1 host, 5 %, 25 %, all");
  create->add_option("--timeout", plan_.timeout, "For one host (default 60s)");
  create->add_option("--approval-lifetime", plan_.approval_lifetime,
                     "How long it waits for approval (default 15m)");
  create->add_option("--symptom", plan_.symptom,
                     "METRIC:LOW:HIGH of the target, back in this band when it has helped");
  create->add_flag("--no-wait", plan_.no_wait, "Do not wait for what the hosts say");
  command(*plan, "list", "Plans, newest first", [](Context& c) { return list_plans(c); });
  CLI::App* show = command(*plan, "show", "One plan: the approval card",
                           [this](Context& c) { return show_plan(c, id_, checks_); });
  show->add_option("PLAN", id_, "From plan list")->required();
  show->add_flag("--checks", checks_, "Every safety check with what it means");
  command(*plan, "simulate", "Ask the hosts anew; approvals are void",
          [this](Context& c) { return simulate_plan(c, id_); })
      ->add_option("PLAN", id_, "From plan list")
      ->required();
  command(*plan, "cancel", "Stop a plan: nothing more is sent",
          [this](Context& c) { return cancel_plan(c, id_); })
      ->add_option("PLAN", id_, "From plan list")
      ->required();
  command(*plan, "actions", "What hosts can be asked to do, with parameters", [this](Context& c) {
    return show_actions(c, id_);
  })->add_option("ACTION", id_, "Only this one, with its parameters");
}

void PlanConsole::add_decisions(CLI::App& app) {
  CLI::App* approve = command(
      app, "approve", "Sign a plan with your approver key, after it was shown",
      [this](Context& c) { return approve_plan(c, approve_, std::cin, SystemClock().unix_ms()); });
  approve->add_option("PLAN", approve_.plan, "From plan list")->required();
  approve->add_option("--key", approve_.key_file,
                      "Your key (default ~/.config/observeai/approver.key)");
  approve->add_option("--passphrase-file", approve_.passphrase.file,
                      "Its passphrase is the first line; else a terminal is asked");
  approve->add_option("--reason", approve_.reason, "Signed along");
  approve->add_option("--valid-for", approve_.valid_for,
                      "How long what you sign can be used (default 1h, or as long as the plan)");
  approve->add_flag("--yes", approve_.yes, "Do not ask whether it is meant");
  CLI::App* reject = command(app, "reject", "End a plan that waits for approval",
                             [this](Context& c) { return reject_plan(c, id_, reason_); });
  reject->add_option("PLAN", id_, "From plan list")->required();
  reject->add_option("--reason", reason_, "Why")->required();
}

void PlanConsole::add_looks(CLI::App& app) {
  command(app, "commands", "Signed commands, or one with its results", [this](Context& c) {
    return list_commands(c, id_);
  })->add_option("ID", id_, "Only this one");
  command(app, "results", "What the hosts of a plan answered",
          [this](Context& c) { return show_results(c, id_); })
      ->add_option("PLAN", id_, "From plan list")
      ->required();
  CLI::App* freeze = command(app, "maintenance", "Hold all plans back, or see whether they are",
                             [this](Context& c) {
                               if (!clear_ && reason_.empty()) return show_maintenance(c);
                               return set_maintenance(c, !clear_, reason_, duration_);
                             });
  auto* reason = freeze->add_option("--reason", reason_, "Set the freeze, because of this")
                     ->check([](const std::string& text) {
                       return std::string(text.empty() ? "a freeze needs a reason" : "");
                     });
  auto* lasts =
      freeze->add_option("--for", duration_, "It ends by itself after this time, such as 2h");
  lasts->needs(reason);
  freeze->add_flag("--clear", clear_, "End it; --reason may say why")->excludes(lasts);
}

}  // namespace observeai::controlplane::cli
