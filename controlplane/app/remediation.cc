#include "controlplane/app/remediation.h"

#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {
namespace {

class ChainRoots final : public dispatch::RootSource {
 public:
  explicit ChainRoots(RootChain& chain) : chain_(chain) {}
  signing::RootMetadata newest() override { return chain_.newest(); }
  std::vector<std::string> envelopes_after(std::uint64_t version) override {
    return chain_.envelopes_after(version);
  }

 private:
  RootChain& chain_;
};

class IngestDownLink final : public dispatch::DownLink {
 public:
  void send(mqtt::Message message) override {
    MutexLock lock(mutex_);
    if (ingest_ != nullptr) ingest_->send(std::move(message));
  }
  void lead_to(IngestService* ingest) {
    MutexLock lock(mutex_);
    ingest_ = ingest;
  }

 private:
  Mutex mutex_;
  IngestService* ingest_ GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

struct Remediation::Parts {
  Parts(Store& store, CommandSigner& signer, RootChain& chain, dispatch::HeadSource& heads,
        const signing::KeyAgreementPair& sealing, const Clock& clock)
      : roots(chain),
        world{clock,          store.plans(), store.commands(), store.agents(), store.reader(),
              store.alerts(), store.audit(), signer,           roots,          heads,
              down,           sealing},
        desk(world, [this] { service.wake(); }),
        service(world) {}

  ChainRoots roots;
  IngestDownLink down;
  dispatch::World world;
  dispatch::Desk desk;
  dispatch::DispatchService service;  // Last: its thread uses the others
};

Remediation::Remediation(Store& store, CommandSigner& signer, RootChain& roots,
                         dispatch::HeadSource& heads, const signing::KeyAgreementPair& sealing,
                         const Clock& clock)
    : parts_(std::make_unique<Parts>(store, signer, roots, heads, sealing, clock)) {}

Remediation::~Remediation() = default;

void Remediation::on_hello(const AgentId& agent) {
  parts_->service.hello(agent);
}

void Remediation::on_committed(const model::Committed& committed) {
  // What verification looks at is looked at once a second anyway.
  if (committed.control != nullptr && !committed.control->results.empty()) parts_->service.wake();
}

void Remediation::connect(IngestService& ingest) {
  parts_->down.lead_to(&ingest);
  parts_->service.wake();
}

void Remediation::disconnect() {
  parts_->down.lead_to(nullptr);
}

model::PlanDesk& Remediation::desk() {
  return parts_->desk;
}

}  // namespace observeai::controlplane
