// Keeps the audit log signed and copied, and listens to what hosts know of it.
#pragma once

#include <optional>
#include <string>

#include "controlplane/app/heads_file.h"
#include "controlplane/audit/audit_chain.h"
#include "controlplane/audit/witnesses.h"
#include "controlplane/dispatch/ports.h"
#include "controlplane/model/repositories.h"
#include "controlplane/signer/command_signer.h"

namespace observeai::controlplane {

class AuditHeads final : public dispatch::HeadSource {
 public:
  // `heads_file` "": no copy. All references outlive it.
  AuditHeads(model::AuditLog& log, model::AuditHeadRepository& heads,
             model::AlertRepository& alerts, CommandSigner& signer, std::string heads_file,
             const Clock& clock);

  // Every few seconds, on one thread. Blocks while the signer does.
  void tick();
  // Of an authenticated hello. Thread-safe.
  void heard(const AgentId& agent, const wire::Hello& hello);
  // For commands and meta: what was appended until now, signed; else the newest that is. Thread-safe.
  Head newest() override;

 private:
  void copy();

  model::AuditHeadRepository& heads_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  audit::AuditChain chain_;
  audit::Witnesses witnesses_;
  std::optional<HeadsFile> file_;
  std::string file_error_;      // As it was told last
  bool may_be_alerted_ = true;  // By this program or the one before
  std::optional<std::uint64_t> copied_;
};

}  // namespace observeai::controlplane
