// What the console does with plans, apart from parsing options. An approval is signed on this machine, over
// what this machine has itself decoded and shown: the control plane cannot show one thing and have another
// signed.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/passphrase.h"
#include "protocol/signing/keys.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane::cli {

struct PlanOptions {
  std::string action;
  std::vector<std::string> hosts;
  std::vector<std::string> settings;  // "container=web"
  std::string reason;
  std::string incident;
  bool accept_downtime = false;
  bool accept_blast_radius = false;
  bool roll_back = false;
  bool all_at_once = false;
  std::string timeout;            // "60s"; "" = the default
  std::string approval_lifetime;  // "15m"
  std::string symptom;            // "METRIC:LOW:HIGH"
  bool no_wait = false;           // Does not wait for the simulation
};
Result<void> create_plan(Context& context, const PlanOptions& options);
Result<void> list_plans(Context& context);
Result<void> show_plan(Context& context, const std::string& id, bool all_checks = false);
Result<void> simulate_plan(Context& context, const std::string& id);
Result<void> cancel_plan(Context& context, const std::string& id);
Result<void> show_actions(Context& context, const std::string& name);  // "": all
Result<void> reject_plan(Context& context, const std::string& id, const std::string& reason);
Result<void> list_commands(Context& context, const std::string& id);  // "": all, else one
Result<void> show_results(Context& context, const std::string& plan);
Result<void> show_maintenance(Context& context);
Result<void> set_maintenance(Context& context, bool active, const std::string& reason,
                             const std::string& duration);

struct ApproveOptions {
  std::string plan;
  std::string key_file;  // "" = the default
  PassphraseSource passphrase;
  std::string reason;
  std::string valid_for;  // "4h"; "" = kApprovalLastsMs
  bool yes = false;       // Does not ask; the passphrase is asked for all the same
};

// How long a signed approval can be used, unless its person says otherwise; never longer than the plan lives.
// Enough for the wait of 15 minutes and the waves of a plan on a few hosts.
inline constexpr std::int64_t kApprovalLastsMs = 3'600'000;

// `in`: where the answer comes from.
Result<void> approve_plan(Context& context, const ApproveOptions& options, std::istream& in,
                          std::int64_t now_ms);

// ---- what a card says, checked here ------------------------------------------------------------

// The batch that a card carries, after every part was held against its bytes. kCorrupt, with what
// differs, when the card does not agree with itself.
struct CheckedBatch {
  wire::Digest root{};
  std::vector<wire::Intent> intents;
};
Result<CheckedBatch> check_card(const boost::json::object& card);
// Of the intents, not of what the server says beside them.
std::string describe_intents(const Context& context, const CheckedBatch& batch,
                             const boost::json::object& card);
// When an approval that is signed now ends: the plan's end as the server says it, but not later than
// `valid_for` (kApprovalLastsMs) from now. kInvalid: `valid_for` is none, or the plan is over already.
Result<std::int64_t> approval_end(const boost::json::object& card, const std::string& valid_for,
                                  std::int64_t now_ms);
Result<std::string> make_approval(const CheckedBatch& batch, const signing::SigningKeyPair& key,
                                  const std::string& reason, std::int64_t now_ms,
                                  std::int64_t expires_ms);

// Of the safety list: what holds back and what is to be looked at, or every check with its sentence.
enum class Checks : std::uint8_t { kShort, kAll };
void print_card(Context& context, const boost::json::object& card, Checks checks = Checks::kShort);

}  // namespace observeai::controlplane::cli
