#include "controlplane/signer/signer_client.h"

#include "protocol/wire/command_codec.h"

namespace observeai::controlplane {

using signer::FrameKind;

namespace {

constexpr std::int64_t kAnyTime = 1;  // The signer writes its own

}  // namespace

Result<signer::Frame> SignerClient::exchange(FrameKind kind, std::string_view body) {
  const auto deadline = std::chrono::steady_clock::now() + options_.patience;
  if (!socket_ || signer::is_stale(socket_.get())) {
    TRY(socket_, signer::connect_to(options_.socket));
  }
  TRY_VOID(signer::send_all(socket_.get(), signer::encode_frame(kind, body), deadline));
  std::string buffer;
  for (;;) {
    TRY_VOID(signer::receive_some(socket_.get(), buffer, deadline));
    TRY(auto taken, signer::take_frame(buffer));
    if (taken) return std::move(taken->frame);
  }
}

Result<signer::Frame> SignerClient::ask(FrameKind kind, std::string_view body, FrameKind expected) {
  const MutexLock lock(mutex_);
  auto reply = exchange(kind, body);
  if (!reply) {
    socket_ = signer::Descriptor();  // A late reply must not answer the next request
    if (reply.error().code() != Errc::kTimeout) return std::move(reply).error();
    return Error(Errc::kUnavailable, "the signer did not answer in time");
  }
  if (reply->kind == expected) return reply;
  if (reply->kind == FrameKind::kError) {
    TRY(const auto outcome, signer::decode_outcome(reply->body));
    if (!outcome) return outcome.error();
  }
  socket_ = signer::Descriptor();
  return Error(Errc::kCorrupt, "the signer answered something else");
}

Result<void> SignerClient::sign_some(std::span<const std::string> commands,
                                     std::vector<Result<std::string>>& outcomes) {
  const std::vector<std::string> items(commands.begin(), commands.end());
  TRY(const auto reply, ask(FrameKind::kSign, signer::encode_list(items), FrameKind::kSigned));
  TRY(const auto answers, signer::decode_list(reply.body));
  if (answers.size() != items.size())
    return Error(Errc::kCorrupt, "the signer answered another number of commands");
  for (const auto& answer : answers) {
    TRY(auto outcome, signer::decode_outcome(answer));
    outcomes.push_back(std::move(outcome));
  }
  return {};
}

// In frames of bounded size. When one fails, so do all that come after it, and what was signed before it
// is handed out.
Result<std::vector<Result<std::string>>> SignerClient::sign_commands(
    std::span<const std::string> commands) {
  constexpr std::size_t kLengthBytes = 4;
  std::vector<Result<std::string>> outcomes;
  outcomes.reserve(commands.size());
  while (outcomes.size() < commands.size()) {
    const auto rest = commands.subspan(outcomes.size());
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < rest.size() && count < signer::kMaxSignItems; ++count) {
      bytes += rest[count].size() + kLengthBytes;
      if (bytes > signer::kMaxSignBytes) break;
    }
    if (count == 0) {
      outcomes.push_back(Error(Errc::kLimit, "a command is longer than what a frame holds"));
      continue;
    }
    const std::size_t before = outcomes.size();
    const auto done = sign_some(rest.first(count), outcomes);
    if (done) continue;
    if (before == 0) return done.error();
    outcomes.resize(before, done.error());
    outcomes.resize(commands.size(), done.error());
  }
  return outcomes;
}

Result<std::string> SignerClient::sign_time(const wire::TimeStatement& time) {
  wire::TimeStatement asked = time;
  asked.unix_ms = kAnyTime;
  TRY(const auto body, wire::encode_time(asked));
  TRY(auto reply, ask(FrameKind::kTime, body, FrameKind::kEnvelope));
  return std::move(reply.body);
}

Result<std::string> SignerClient::sign_audit_head(const wire::AuditHead& head) {
  wire::AuditHead asked = head;
  asked.unix_ms = kAnyTime;
  TRY(const auto body, wire::encode_audit_head(asked));
  TRY(auto reply, ask(FrameKind::kAuditHead, body, FrameKind::kEnvelope));
  return std::move(reply.body);
}

// One frame for each: a long chain of large ones does not fit into one. None: whether it answers.
Result<void> SignerClient::take_roots(std::span<const std::string> roots) {
  if (roots.empty()) {
    TRY_VOID(ask(FrameKind::kRoots, "", FrameKind::kDone));
  }
  for (const auto& root : roots) {
    TRY_VOID(ask(FrameKind::kRoots, signer::encode_list({root}), FrameKind::kDone));
  }
  return {};
}

Result<void> SignerClient::revoke_agent(const AgentId& agent) {
  TRY_VOID(ask(FrameKind::kRevoke, agent.value(), FrameKind::kDone));
  return {};
}

Result<signer::SignerStatus> SignerClient::status() {
  TRY(const auto reply, ask(FrameKind::kStatus, "", FrameKind::kStatusReply));
  return signer::decode_status(reply.body);
}

}  // namespace observeai::controlplane
