#include "controlplane/app/audit_heads.h"

#include "protocol/base/log.h"

namespace observeai::controlplane {

AuditHeads::AuditHeads(model::AuditLog& log, model::AuditHeadRepository& heads,
                       model::AlertRepository& alerts, CommandSigner& signer,
                       std::string heads_file, const Clock& clock)
    : heads_(heads),
      alerts_(alerts),
      clock_(clock),
      chain_(log, heads, alerts, clock,
             [&signer](const wire::AuditHead& head) { return signer.sign_audit_head(head); }),
      witnesses_(log, alerts, clock) {
  if (!heads_file.empty()) file_.emplace(std::move(heads_file));
}

void AuditHeads::tick() {
  chain_.tick();
  const auto newest = chain_.newest();
  if (!file_ || !newest || copied_ == newest->head.seq) return;
  copy();
}

AuditHeads::Head AuditHeads::newest() {
  auto head = chain_.head();
  if (!head) return {};
  return {head->head, std::move(head->envelope)};
}

void AuditHeads::copy() {
  constexpr const char* kAlert = "audit.heads_file";
  const auto copied = file_->copy(heads_);
  if (copied) {
    copied_ = chain_.newest()->head.seq;
    file_error_.clear();
    if (may_be_alerted_ && alerts_.clear(kAlert, AgentId(), "")) may_be_alerted_ = false;
    return;
  }
  if (file_error_ == copied.error().message()) return;
  file_error_ = copied.error().message();
  log::error("audit heads are not copied: " + file_error_);
  model::Alert row;
  row.kind = kAlert;
  row.message = "signed heads of the audit log are not copied: " + file_error_;
  row.first_ms = row.last_ms = clock_.unix_ms();
  row.count = 1;
  may_be_alerted_ = true;
  ignore(alerts_.raise(row), "it is in the log");
}

void AuditHeads::heard(const AgentId& agent, const wire::Hello& hello) {
  if (!hello.executor) return;
  const auto done = witnesses_.heard(agent, hello.executor->audit_seq, hello.executor->audit_hash);
  if (!done) log::warning("what a host knows of the audit log: " + done.error().message());
}

}  // namespace observeai::controlplane
