// What this host has to do with signed commands: carries them to its executor, follows the root of trust, and
// remembers heads of the audit log as a witness.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/app/executor_link.h"
#include "agent/app/known_root.h"
#include "agent/app/outbox.h"
#include "agent/spool/spool.h"
#include "agent/uplink/audit_witness.h"

namespace observeai::agent {

// Loop thread only. Everything given must outlive it.
class Remediation {
 public:
  // `socket`: the executor's, "" when this host executes nothing. `pinned`: root metadata of the enrollment.
  // `changed`: a hello should tell what report() says now.
  static Result<std::unique_ptr<Remediation>> create(Loop& loop, AsyncClock& clock, Spool& spool,
                                                     Outbox& outbox, const std::string& socket,
                                                     const std::string& pinned,
                                                     std::function<void()> changed);

  boost::asio::awaitable<void> run();  // Spawn it once
  void take_command(std::string envelope);
  void take_meta(const wire::Meta& meta);
  wire::ExecutorReport report() const;

 private:
  Remediation(const AsyncClock& clock, Outbox& outbox, KnownRoot root, AuditWitness witness)
      : clock_(clock), outbox_(outbox), root_(std::move(root)), witness_(std::move(witness)) {}
  void take_audit_head(const std::string& head);

  const AsyncClock& clock_;
  Outbox& outbox_;
  KnownRoot root_;
  AuditWitness witness_;
  std::optional<ExecutorLink> link_;  // None: this host executes nothing
};

}  // namespace observeai::agent
