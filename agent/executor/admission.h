// Every check of a command, in the order of docs/adr/0013. What passes may be done; what does not has a
// reason and a message, and nothing was done. A command whose sequence was taken is in the ledger from
// then on, refused or not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/ledger.h"
#include "agent/executor/policy.h"
#include "agent/executor/session.h"
#include "agent/executor/trust.h"
#include "protocol/actions/manifest.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

struct Refusal {
  const char* reason = nullptr;  // wire::refusals
  std::string message;           // At most wire::kMaxReasonBytes after shorten()
};
using Check = std::optional<Refusal>;  // nullopt: passed

// What is known of a command, more with each check that it passes.
struct Received {
  wire::Digest sha256{};  // Of the envelope
  std::string envelope;   // Once admitted, for check_again()
  std::int64_t received_ms = 0;
  wire::Bytes16 session{};  // The executor's own
  bool readable = false;    // Its signature holds and it has its form: the next two are there
  wire::Command command;
  wire::Intent intent;
  std::int64_t now_ms = 0;  // Trusted, fixed when the checks began
  bool in_ledger = false;
  const actions::Manifest* manifest = nullptr;
  wire::Parameters parameters;  // Once they passed: the intent's, with_defaults()
  std::string target;           // "" until the parameters passed; check_target() may change it
  std::string asked_for;        // The same as the command calls it
  std::shared_ptr<const Policy> policy;
  std::chrono::milliseconds cooldown{};
  std::optional<std::uint32_t> max_per_hour;

  bool is_dry_run() const { return command.mode == wire::CommandMode::kDryRun; }
};

// What the checks look at. All of it outlives the call.
struct AdmissionContext {
  const Trust& trust;
  Session& session;
  Ledger* ledger = nullptr;  // Null: it cannot be opened, `ledger_error` says why
  std::string ledger_error;
  std::string policy_directory;
  uid_t policy_owner = 0;
  const HostTime& time;
  std::function<bool(const std::string& action)> can_do;
  std::function<bool(const std::string& target)> in_flight;
};

enum class Admittance : std::uint8_t {
  kAdmitted = 1,
  kRefused = 2,
  kDone = 3,    // Seen before: `result` is what came of it
  kAtWork = 4,  // Seen before, and not over yet
};
struct Admission {
  Admittance admittance = Admittance::kRefused;
  Received received;
  Refusal refusal;     // When refused
  std::string result;  // When done: an envelope
};
Admission admit(std::string_view envelope, const AdmissionContext& context);

// The target was found, and this is the host's own name for it: policy and lock are asked anew when the
// command called it otherwise. Sets target. "" is the command's own name.
Check check_target(Received& received, const std::string& target, const AdmissionContext& context);

// Everything that may have changed while an admitted command waited for its turn, by what is in force now:
// all of admit() but the ledger and the lock, which it has; for the host's own name of the target too. Sets
// what the checks set, policy and time among them; target stays.
Check check_again(Received& received, const AdmissionContext& context);

// Parts of admit(), for their own tests; in this order.

// Size, form, type, signature, form of the payload. Sets sha256, command, intent; `signers` get the
// distinct signer keys of the root that signed.
Check check_envelope(std::string_view envelope, const signing::RootMetadata& root,
                     Received& received, std::vector<signing::SignerKey>& signers);
// Delegation, addressee, root, time. `now_ms` is nullopt when the time is not known.
Check check_addressee(const Received& received, const std::vector<signing::SignerKey>& signers,
                      const AdmissionContext& context, std::optional<std::int64_t> now_ms);
// Action, version, manifest, parameters, tier. Sets manifest, parameters and target.
Check check_action(Received& received, const AdmissionContext& context);
// Place in the batch, and the approvals of `needed` persons. Pure.
Check check_approvals(const Received& received, const signing::RootMetadata& root,
                      std::uint32_t needed);

}  // namespace observeai::agent::executor
