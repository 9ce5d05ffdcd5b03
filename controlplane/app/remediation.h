// Plans, approvals and commands, put together: the dispatcher's thread, the desk for the interface, and what
// ties them to store, signer, root of trust and broker.
#pragma once

#include <memory>

#include "controlplane/dispatch/desk.h"
#include "controlplane/dispatch/dispatcher.h"
#include "controlplane/ingest/ingest_service.h"
#include "controlplane/signer/root_chain.h"
#include "controlplane/store/store.h"

namespace observeai::controlplane {

// Outlives the ingest that it is connected to, from connect() to disconnect().
class Remediation {
 public:
  Remediation(Store& store, CommandSigner& signer, RootChain& roots, dispatch::HeadSource& heads,
              const signing::KeyAgreementPair& sealing, const Clock& clock);
  ~Remediation();
  Remediation(const Remediation&) = delete;
  Remediation& operator=(const Remediation&) = delete;

  // Of ingest, on its thread: neither blocks.
  void on_hello(const AgentId& agent);
  void on_committed(const model::Committed& committed);

  // From here on commands go out; before, what is sent is lost, and sent again.
  void connect(IngestService& ingest);
  void disconnect();

  model::PlanDesk& desk();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace observeai::controlplane
