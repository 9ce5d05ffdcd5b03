#include "agent/app/remediation.h"

#include <algorithm>

#include "protocol/base/log.h"

namespace observeai::agent {

Result<std::unique_ptr<Remediation>> Remediation::create(Loop& loop, AsyncClock& clock,
                                                         Spool& spool, Outbox& outbox,
                                                         const std::string& socket,
                                                         const std::string& pinned,
                                                         std::function<void()> changed) {
  TRY(auto root, KnownRoot::create(spool, pinned));
  TRY(auto witness, AuditWitness::create(spool, clock.unix_ms()));
  std::unique_ptr<Remediation> made(
      new Remediation(clock, outbox, std::move(root), std::move(witness)));
  if (!socket.empty()) made->link_.emplace(loop, clock, outbox, socket, std::move(changed));
  return made;
}

boost::asio::awaitable<void> Remediation::run() {
  if (link_) co_await link_->run();
}

void Remediation::take_command(std::string envelope) {
  if (link_) link_->take_command(std::move(envelope));
}

void Remediation::take_meta(const wire::Meta& meta) {
  if (const auto taken = root_.take(meta.roots); !taken) {
    log::error("root metadata: " + taken.error().message());
  }
  if (!meta.audit_head.empty()) take_audit_head(meta.audit_head);
  if (link_) link_->take_meta(meta);
}

void Remediation::take_audit_head(const std::string& head) {
  const auto seen = witness_.take(head, root_.root().audit_key, clock_.unix_ms());
  if (!seen) log::error("audit log: " + seen.error().message());
  auto event = witness_.take_event();
  if (!event) return;
  log::error(event->message);
  outbox_.add_event(std::move(*event));
  ignore(outbox_.flush(), "a full spool is reported by the outbox; the event waits");
}

wire::ExecutorReport Remediation::report() const {
  wire::ExecutorReport report;
  report.state = "not configured";
  if (link_) report = link_->report();
  // Executor and agent follow the same versions: the one that is behind is told what it lacks.
  report.root_version = std::min(report.root_version, root_.root().version);
  report.audit_seq = witness_.seq();
  report.audit_hash = witness_.hash();
  return report;
}

}  // namespace observeai::agent
