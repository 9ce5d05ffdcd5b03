#include "controlplane/audit/audit_chain.h"

#include "controlplane/audit/heads.h"
#include "controlplane/audit/kinds.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::audit {
namespace {

constexpr const char* kUnsigned = "audit.unsigned";
constexpr const char* kRewritten = "audit.rewritten";
constexpr const char* kTruncated = "audit.truncated";
constexpr std::string_view kSignerSaysRewritten = "audit_rewritten:";  // signer/refusal.h

std::string entry_name(std::uint64_t seq) {
  return "entry " + std::to_string(seq);
}

}  // namespace

AuditChain::AuditChain(model::AuditLog& log, model::AuditHeadRepository& heads,
                       model::AlertRepository& alerts, const Clock& clock, Sign sign)
    : log_(log),
      heads_(heads),
      alerts_(alerts),
      clock_(clock),
      sign_(std::move(sign)),
      next_(clock.steady_now()) {}

void AuditChain::tick() {
  MutexLock lock(mutex_);
  if (clock_.steady_now() < next_) return;
  const auto done = sign_news();
  next_ = clock_.steady_now() + (done ? kSignEvery : kRetryEvery);
}

Result<model::SignedAuditHead> AuditChain::head() {
  MutexLock lock(mutex_);
  // A signer that hangs must not be waited for by every command.
  const bool is_asked = clock_.steady_now() >= retry_;
  const auto done = is_asked ? sign_news() : Result<void>(last_error_);
  if (newest_) return *newest_;
  if (!done) return done.error();
  return Error(Errc::kNotFound, "the audit log is empty");
}

std::optional<model::SignedAuditHead> AuditChain::newest() {
  MutexLock lock(mutex_);
  ignore(load(), "the next tick says it");
  return newest_;
}

Result<void> AuditChain::load() {
  if (is_loaded_) return {};
  TRY(newest_, heads_.newest());
  is_loaded_ = true;
  return {};
}

Result<void> AuditChain::sign_news() {
  const auto sign = [this]() REQUIRES(mutex_) -> Result<void> {
    TRY_VOID(load());
    TRY(const auto end, log_.newest());
    TRY_VOID(check_against_log(end));
    if (end.seq == 0 || (newest_ && end.seq <= newest_->head.seq)) return {};
    TRY(auto head, signed_head(end));
    TRY_VOID(heads_.insert(head));
    newest_ = std::move(head);
    return {};
  };
  auto done = sign();
  done ? note_success() : note_failure(done.error());
  return done;
}

// Every round, so that it is told while the one who does it is there. One row is read.
Result<void> AuditChain::check_against_log(const model::AuditPoint& end) {
  if (!newest_) return {};
  const auto& known = newest_->head;
  if (known.seq > end.seq) {
    alert(kTruncated, "the audit log ends with " + entry_name(end.seq) + ", but " +
                          entry_name(known.seq) + " was signed at " +
                          text::format_time_ms(known.unix_ms));
    return {};
  }
  TRY(const auto entries, log_.list(known.seq - 1, 1));
  if (!entries.empty() && entries.front().seq == known.seq && entries.front().hash == known.hash)
    return {};
  alert(kRewritten, entry_name(known.seq) +
                        " of the audit log, or one before it, is not what was " + "signed at " +
                        text::format_time_ms(known.unix_ms) +
                        "; `observeai audit verify` says where");
  return {};
}

Result<model::SignedAuditHead> AuditChain::signed_head(const model::AuditPoint& end) {
  auto envelope = sign_({end.seq, end.hash, clock_.unix_ms()});
  if (!envelope) {
    const auto& why = envelope.error();
    if (why.code() == Errc::kDenied && why.message().starts_with(kSignerSaysRewritten))
      alert(kRewritten, "the signer refuses the end of the audit log: " + why.message());
    if (why.code() == Errc::kDenied) note_refusal(why);
    return why;
  }
  TRY(const auto head, read_head(*envelope));
  if (head.seq != end.seq || head.hash != end.hash)
    return Error(Errc::kCorrupt, "the signer signed another audit head than the one it was given");
  return model::SignedAuditHead{head, std::move(*envelope)};
}

void AuditChain::note_failure(const Error& why) {
  const auto now = clock_.steady_now();
  retry_ = now + kRetryEvery;
  last_error_ = why;
  if (!failing_since_) {
    failing_since_ = now;
    log::warning("the audit log is not signed: " + why.message());
  }
  if (now - *failing_since_ < kUnsignedPatience) return;
  may_be_alerted_ = true;
  model::Alert row;
  row.kind = kUnsigned;
  row.message =
      "audit entries have waited for a signature since " +
      text::format_time_ms(
          clock_.unix_ms() -
          std::chrono::duration_cast<std::chrono::milliseconds>(now - *failing_since_).count()) +
      ": " + why.message();
  row.first_ms = row.last_ms = clock_.unix_ms();
  row.count = 1;
  ignore(alerts_.raise(row), "the next failure tries again");
}

// Each entry is asked to be signed in turn: the same refusal again must not become one more.
void AuditChain::note_refusal(const Error& why) {
  const auto word = why.message().substr(0, why.message().find(':'));
  if (word == refused_as_) return;
  const auto written = log_.append(entry_of(kinds::kSignerRefuse, clock_.unix_ms(), "system",
                                            "audit head", {{"detail", why.message()}}));
  if (written) refused_as_ = word;
}

void AuditChain::note_success() {
  refused_as_.clear();
  failing_since_.reset();
  retry_ = {};
  if (may_be_alerted_ && alerts_.clear(kUnsigned, AgentId(), "")) may_be_alerted_ = false;
}

void AuditChain::alert(const char* kind, const std::string& message) {
  if (told_ == message) return;
  log::error(message);
  model::Alert row;
  row.kind = kind;
  row.message = message;
  row.first_ms = row.last_ms = clock_.unix_ms();
  row.count = 1;
  if (alerts_.raise(row)) told_ = message;
}

}  // namespace observeai::controlplane::audit
