// What the agent asks beside commands.
#include <algorithm>

#include "agent/executor/executor.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::agent::executor {
namespace {

// Room for what frames one item of a list.
constexpr std::size_t kMaxListBytes = kMaxFrameBytes / 2;

Frame error_frame(const std::string& why) {
  return {FrameKind::kError, text::escape_unprintable(why, wire::kMaxReasonBytes)};
}

Frame answer(const Result<void>& result) {
  return result ? Frame{FrameKind::kDone, ""} : error_frame(result.error().message());
}

// Of a signer whose delegation covers this tenant, at the time that it states.
Result<wire::TimeStatement> open_time(std::string_view envelope, const Trust& trust) {
  if (envelope.size() > wire::kMaxStatementBytes)
    return Error(Errc::kLimit, "the statement of the time is too long");
  TRY(const auto opened, wire::decode_envelope(envelope));
  const auto& root = trust.root();
  std::vector<signing::VerifyKey> keys;
  for (const auto& signer : root.signers) {
    const auto& tenants = signer.delegation.tenants;
    if (std::find(tenants.begin(), tenants.end(), trust.tenant()) != tenants.end())
      keys.push_back(signer.key);
  }
  TRY(const auto signed_by, signing::verify(opened, wire::kTimeType, 1, keys));
  TRY(auto statement, wire::decode_time(opened.payload));
  if (statement.agent != trust.agent())
    return Error(Errc::kDenied, "the time is for " + statement.agent.value() + ", this host is " +
                                    trust.agent().value());
  const bool in_force = std::any_of(root.signers.begin(), root.signers.end(), [&](const auto& one) {
    return std::find(signed_by.begin(), signed_by.end(), one.key) != signed_by.end() &&
           statement.unix_ms < one.delegation.not_after_ms;
  });
  if (!in_force) return Error(Errc::kDenied, "the delegation of who states the time is over");
  return statement;
}

// kDenied also for another root of the version in force; older ones are none of our business.
Result<void> take_root(Trust& trust, const std::string& envelope) {
  TRY(const auto opened, wire::decode_envelope(envelope));
  TRY(const auto root, wire::decode_root(opened.payload));
  if (root.version < trust.root().version) return {};
  return trust.take_root(envelope);
}

}  // namespace

std::string Executor::state() {
  const auto now_ms = books_.session().trusted_ms();
  if (books_.ledger() == nullptr) return "ledger: " + books_.ledger_error();
  if (books_.trust().root().version < books_.session().root_version()) return "root outdated";
  if (!now_ms) return "time unknown";
  if (signing::is_expired(books_.trust().root(), *now_ms)) return "root expired";
  if (is_disabled(books_.places().policy_directory)) return "disabled";
  return "ready";
}

Frame Executor::status() {
  MutexLock lock(mutex_);
  Status status;
  if (const auto opened = books_.open(in_flight_.empty()); !opened) {
    status.state =
        opened.error().code() == Errc::kNotFound ? "not enrolled" : opened.error().message();
    status.state = text::escape_unprintable(status.state, wire::kMaxReasonBytes);
    return {FrameKind::kStatusReply, encode_status(status)};
  }
  if (const auto looked = books_.session().refresh(); !looked)
    log::error("session: " + looked.error().message());
  status.state = state();
  status.session = books_.session().nonce();
  if (const auto challenge = books_.session().challenge()) {
    status.time_challenge = *challenge;
  } else {
    status.state = "session: " + challenge.error().message();
  }
  std::uint64_t highest = books_.session().sequence();
  if (Ledger* ledger = books_.ledger()) {
    if (const auto known = ledger->highest_sequence()) highest = std::max(highest, *known);
  }
  status.command_seq = highest;
  status.root_version = books_.trust().root().version;
  const auto policy = load_policy(books_.places().policy_directory, books_.places().owner);
  if (policy) {
    status.policy_hash = text::to_hex(policy->hash);
  } else {
    status.state = "policy: " + policy.error().message();
  }
  status.state = text::escape_unprintable(status.state, wire::kMaxReasonBytes);
  return {FrameKind::kStatusReply, encode_status(status)};
}

Frame Executor::take_time(std::string_view envelope) {
  end_phase();
  auto answered = accept_time(envelope);
  end_phase();
  return answered;
}

Frame Executor::accept_time(std::string_view envelope) {
  MutexLock lock(mutex_);
  if (const auto opened = books_.open(in_flight_.empty()); !opened)
    return error_frame(opened.error().message());
  if (const auto looked = books_.session().refresh(); !looked)
    return error_frame(looked.error().message());
  const auto statement = open_time(envelope, books_.trust());
  if (!statement) return error_frame(statement.error().message());
  return answer(books_.session().take_time(*statement));
}

Frame Executor::take_roots(std::string_view list) {
  MutexLock lock(mutex_);
  if (const auto opened = books_.open(in_flight_.empty()); !opened)
    return error_frame(opened.error().message());
  const auto envelopes = decode_list(list);
  if (!envelopes) return error_frame(envelopes.error().message());
  for (const auto& envelope : *envelopes) {
    const std::uint64_t before = books_.trust().root().version;
    if (const auto taken = take_root(books_.trust(), envelope); !taken)
      return error_frame(taken.error().message());
    const std::uint64_t now = books_.trust().root().version;
    if (now != before) log::info("root metadata " + std::to_string(now) + " is in force");
    if (const auto noted = books_.session().note_root(now); !noted)
      return error_frame(noted.error().message());
  }
  return {FrameKind::kDone, ""};
}

Frame Executor::results() {
  MutexLock lock(mutex_);
  if (const auto opened = books_.open(in_flight_.empty()); !opened)
    return error_frame(opened.error().message());
  if (books_.ledger() == nullptr) return error_frame("ledger: " + books_.ledger_error());
  const auto results = books_.ledger()->unspooled(kMaxPendingResults, kMaxListBytes);
  if (!results) return error_frame("ledger: " + results.error().message());
  return {FrameKind::kResultList, encode_list(*results)};
}

Frame Executor::spooled(std::string_view digests) {
  MutexLock lock(mutex_);
  wire::Digest digest{};
  if (digests.size() % digest.size() != 0) return error_frame("a sha256 that is cut off");
  if (const auto opened = books_.open(in_flight_.empty()); !opened)
    return error_frame(opened.error().message());
  if (books_.ledger() == nullptr) return error_frame("ledger: " + books_.ledger_error());
  for (; !digests.empty(); digests.remove_prefix(digest.size())) {
    std::copy_n(digests.begin(), digest.size(), digest.begin());
    if (const auto marked = books_.ledger()->mark_spooled(digest); !marked)
      return error_frame("ledger: " + marked.error().message());
  }
  return {FrameKind::kDone, ""};
}

}  // namespace observeai::agent::executor
