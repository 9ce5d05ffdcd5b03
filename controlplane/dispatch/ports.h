// What the dispatcher needs of its surroundings beside the store: implemented by controlplane/app, faked
// in tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/model/plan_repositories.h"
#include "controlplane/model/repositories.h"
#include "controlplane/signer/command_signer.h"
#include "protocol/base/clock.h"
#include "protocol/mqtt/broker_client.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane::dispatch {

// The root metadata in force. Thread-safe.
class RootSource {
 public:
  virtual ~RootSource() = default;
  virtual signing::RootMetadata newest() = 0;
  // As signed, versions ascending.
  virtual std::vector<std::string> envelopes_after(std::uint64_t version) = 0;
};

// The newest signed head of the audit chain. Thread-safe.
class HeadSource {
 public:
  virtual ~HeadSource() = default;
  struct Head {
    wire::AuditHead head;  // seq 0: none yet
    std::string envelope;
  };
  virtual Head newest() = 0;
};

// Towards the agents, by way of the broker: may lose anything. Thread-safe, never blocks.
class DownLink {
 public:
  virtual ~DownLink() = default;
  virtual void send(mqtt::Message message) = 0;
};

// Everything must outlive who uses it.
struct World {
  const Clock& clock;
  model::PlanRepository& plans;
  model::CommandRepository& commands;
  model::AgentRegistry& agents;
  model::TelemetryReader& telemetry;
  model::AlertRepository& alerts;
  model::AuditLog& audit;
  CommandSigner& signer;
  RootSource& roots;
  HeadSource& heads;
  DownLink& down;
  signing::KeyAgreementPair sealing;
};

}  // namespace observeai::controlplane::dispatch
