// Approving: what is signed is decoded, checked and shown here, whatever the server says.
#include <iostream>

#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/plan_commands.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"
#include "protocol/http/http_client.h"
#include "protocol/signing/key_files.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

Error differs(const std::string& what) {
  return Error(Errc::kCorrupt, "the control plane shows one thing and asks to sign another (" +
                                   what + "): nothing was signed; tell whoever runs it");
}

std::vector<wire::Change> diff_of(const json::object& target) {
  std::vector<wire::Change> out;
  for (const auto& value : array_at(target, "diff")) {
    const auto& change = object_of(value);
    out.push_back(
        {raw_text_at(change, "what"), raw_text_at(change, "before"), raw_text_at(change, "after")});
  }
  return out;
}

Result<void> check_intent(const wire::Intent& intent, const json::object& target,
                          const json::object& card) {
  if (intent.plan.value() != raw_text_at(card, "id")) return differs("the plan");
  if (intent.tenant.value() != raw_text_at(card, "tenant")) return differs("the tenant");
  if (intent.action != raw_text_at(card, "action")) return differs("the action");
  if (intent.agent.value() != raw_text_at(target, "agent_id")) return differs("a host");
  if (intent.requester != raw_text_at(card, "requester")) return differs("the requester");
  if (intent.diff != wire::diff_digest(diff_of(target))) return differs("what would change");
  const auto* manifest = actions::find(intent.action);
  if (manifest == nullptr || manifest->version != intent.action_version ||
      actions::manifest_hash(*manifest) != intent.manifest) {
    return Error(Errc::kInvalid, "this console does not know " + printable(intent.action) +
                                     " in this version: install the console that belongs to the "
                                     "control plane");
  }
  if (intent.tier != manifest->tier) return differs("the tier");
  return actions::check_parameters(*manifest, intent.parameters);
}

// What the host will go by: also what was not said.
std::string parameters_of(const wire::Intent& intent, const actions::Manifest& manifest) {
  std::string out;
  for (const auto& [name, value] : actions::with_defaults(manifest, intent.parameters)) {
    out += "  " + printable(name) + "=" + printable(actions::format_value(value));
    if (!intent.parameters.contains(name)) out += " (default)";
  }
  return out;
}

bool says_yes(std::istream& in) {
  std::string answer;
  std::getline(in, answer);
  return answer == "yes";
}

// Where `observeai approver init` puts it.
std::string own_key_file() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0')
    return std::string(config) + "/observeai/approver.key";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.config/observeai/approver.key";
}

Result<signing::SigningKeyPair> load_key(const ApproveOptions& options) {
  const std::string file = options.key_file.empty() ? own_key_file() : options.key_file;
  auto sealed = is_sealed(file);
  if (!sealed) {
    return std::move(sealed).error().with_context("approver key " + file +
                                                  " (make one: observeai approver init)");
  }
  if (!*sealed) return signing::load_signing_key(file);
  TRY(const auto passphrase, known_passphrase(options.passphrase, file));
  return signing::load_signing_key(file, passphrase);
}

std::string describe_end(const json::object& card, std::int64_t expires_ms, std::int64_t now_ms) {
  std::string out = "  your approval can be used until " + text::format_time_ms(expires_ms) + " (" +
                    text::format_duration_ms(expires_ms - now_ms) + " from now)";
  if (const auto plan_ms = integer_at(card, "expires_ms"); plan_ms > expires_ms) {
    out += "; the plan would take one until " + text::format_time_ms(plan_ms) +
           ": --valid-for signs for longer";
  }
  return out + "\n";
}

}  // namespace

Result<CheckedBatch> check_card(const json::object& card) {
  CheckedBatch batch;
  std::vector<std::string> leaves;
  for (const auto& value : array_at(card, "targets")) {
    const auto& target = object_of(value);
    const auto bytes = text::from_base64url(raw_text_at(target, "intent"));
    if (!bytes) return differs("an intent does not decode");
    leaves.emplace_back(text::as_text(*bytes));
    auto intent = wire::decode_intent(leaves.back());
    if (!intent) return differs("an intent does not decode");
    TRY_VOID(check_intent(*intent, target, card));
    batch.intents.push_back(std::move(*intent));
  }
  if (leaves.empty()) return Error(Errc::kInvalid, "the plan is not simulated yet");
  if (static_cast<std::int64_t>(leaves.size()) != integer_at(card, "batch_size"))
    return differs("the number of hosts");
  TRY(const auto tree, signing::MerkleTree::create(leaves));
  if (text::to_hex(tree.root()) != raw_text_at(card, "batch_root"))
    return differs("the root of the batch");
  batch.root = tree.root();
  return batch;
}

std::string describe_intents(const Context& context, const CheckedBatch& batch,
                             const json::object& card) {
  const auto& first = batch.intents.front();
  const auto* manifest = actions::find(first.action);
  std::string out = "You are about to sign, as decoded from the bytes themselves:\n  " +
                    printable(first.action) + " - " + std::string(manifest->summary) + " (tier " +
                    std::to_string(first.tier) + ")\n  requested by " + printable(first.requester) +
                    ": if that is you, under whatever name, another person has to approve\n";
  std::size_t place = 0;
  for (const auto& intent : batch.intents) {
    const auto& target = object_of(array_at(card, "targets").at(place++));
    out +=
        "  on " + intent.agent.value() + " (" + text_at(target, "hostname") + ")" +
        parameters_of(intent, *manifest) +
        (intent.roll_back ? "  [undone by the host when its own check right after it fails]" : "") +
        "\n";
    for (const auto& change : diff_of(target)) {
      out += "      " + printable(change.what) + ": " + printable(change.before) + " -> " +
             printable(change.after) + "\n";
    }
  }
  return paint(context.terminal, Tone::kPlain, out) + "  batch " + text::to_hex(batch.root) + ", " +
         std::to_string(batch.intents.size()) + " host(s), checked here\n";
}

Result<std::int64_t> approval_end(const json::object& card, const std::string& valid_for,
                                  std::int64_t now_ms) {
  std::int64_t lasts = kApprovalLastsMs;
  if (!valid_for.empty()) {
    TRY(lasts, text::parse_duration_ms(valid_for));
    if (lasts <= 0 || lasts > wire::kMaxCommandLifetimeMs) {
      return Error(Errc::kInvalid, "--valid-for: an approval lasts for at most " +
                                       text::format_duration_ms(wire::kMaxCommandLifetimeMs));
    }
  }
  const auto end = std::min(integer_at(card, "expires_ms"), now_ms + lasts);
  if (end <= now_ms) return Error(Errc::kInvalid, "the plan's time is over: simulate it anew");
  return end;
}

Result<std::string> make_approval(const CheckedBatch& batch, const signing::SigningKeyPair& key,
                                  const std::string& reason, std::int64_t now_ms,
                                  std::int64_t expires_ms) {
  wire::Approval approval;
  approval.plan = batch.intents.front().plan;
  approval.tenant = batch.intents.front().tenant;
  approval.batch_root = batch.root;
  approval.batch_size = static_cast<std::uint32_t>(batch.intents.size());
  approval.issued_ms = now_ms;
  approval.expires_ms = expires_ms;
  approval.reason = reason;
  TRY(auto payload, wire::encode_approval(approval));
  signing::SignedEnvelope envelope{wire::kApprovalType, std::move(payload), {}};
  signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

Result<void> approve_plan(Context& context, const ApproveOptions& options, std::istream& in,
                          std::int64_t now_ms) {
  const std::string path = "/v1/plans/" + http::percent_encode(options.plan);
  TRY(const auto answer, context.api.get(path));
  const auto& card = object_of(answer);
  if (raw_text_at(card, "state") != "simulated") {
    return Error(Errc::kInvalid, "plan " + printable(options.plan) + " is " +
                                     text_at(card, "state") + ": it does not wait for approval");
  }
  TRY(const auto batch, check_card(card));
  auto& shown = context.json ? context.err : context.out;
  if (!context.json) print_card(context, card);
  TRY(const auto expires_ms, approval_end(card, options.valid_for, now_ms));
  shown << "\n" << describe_intents(context, batch, card) << describe_end(card, expires_ms, now_ms);
  if (!options.yes) {
    shown << "Approve this? Type yes: " << std::flush;
    if (!says_yes(in)) return Error(Errc::kInvalid, "not approved; nothing was signed");
  }
  TRY(const auto key, load_key(options));
  TRY(const auto envelope, make_approval(batch, key, options.reason, now_ms, expires_ms));
  TRY(const auto after,
      context.api.post(path + "/approvals",
                       json::object{{"envelope", text::to_base64url(text::as_bytes(envelope))}}));
  if (context.json) {
    context.out << pretty(after);
    return {};
  }
  const auto& plan = object_of(after);
  context.out << "Signed with key " << key.id().value() << ". The plan is "
              << text_at(plan, "state") << ": " << array_at(plan, "approved_by").size() << " of "
              << integer_at(plan, "approvers_needed") << " approvals.\n";
  return {};
}

}  // namespace observeai::controlplane::cli
