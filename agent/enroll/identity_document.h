// identity.json as bytes. For this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/enroll/identity.h"

namespace observeai::agent::internal {

struct IdentityDocument {
  AgentId agent;
  TenantId tenant;
  std::uint32_t shard = 0;
  http::Endpoint server;
  std::vector<pki::BrokerAddress> brokers;
  signing::PublicKey32 controlplane_public_key{};
  bool confirmed = false;
};

std::string encode(const IdentityDocument& document);
// kCorrupt, naming the field.
Result<IdentityDocument> decode_identity(std::string_view json);

}  // namespace observeai::agent::internal
