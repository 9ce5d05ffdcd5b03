#include "agent/enroll/identity_document.h"

#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::agent::internal {

namespace json = boost::json;

namespace {

constexpr int kVersion = 1;

Error bad(const char* field) {
  return Error(Errc::kCorrupt, std::string("field \"") + field + "\" is missing or wrong");
}

Result<std::string> text_of(const json::object& object, const char* field) {
  const auto* value = object.if_contains(field);
  if (value == nullptr || !value->is_string()) return bad(field);
  return std::string(value->get_string());
}

Result<std::uint32_t> number_of(const json::object& object, const char* field, std::int64_t low,
                                std::int64_t high) {
  const auto* value = object.if_contains(field);
  if (value == nullptr || !value->is_int64() || value->get_int64() < low ||
      value->get_int64() > high) {
    return bad(field);
  }
  return static_cast<std::uint32_t>(value->get_int64());
}

Result<http::Endpoint> server_of(const json::object& object) {
  const auto* value = object.if_contains("server");
  if (value == nullptr || !value->is_object()) return bad("server");
  const auto& server = value->get_object();
  TRY(auto host, text_of(server, "host"));
  TRY(const auto port, number_of(server, "port", 1, 65535));
  TRY(auto spki, text_of(server, "spki_sha256"));
  const auto hash = text::from_hex(spki);
  if (host.empty() || !hash || hash->size() != 32) return bad("server");
  return http::Endpoint{std::move(host), static_cast<std::uint16_t>(port), std::move(spki)};
}

Result<std::vector<pki::BrokerAddress>> brokers_of(const json::object& object) {
  const auto* value = object.if_contains("brokers");
  if (value == nullptr || !value->is_array() || value->get_array().empty()) return bad("brokers");
  std::vector<pki::BrokerAddress> out;
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) return bad("brokers");
    TRY(auto host, text_of(item.get_object(), "host"));
    TRY(const auto port, number_of(item.get_object(), "port", 1, 65535));
    out.push_back({std::move(host), static_cast<std::uint16_t>(port)});
  }
  return out;
}

}  // namespace

std::string encode(const IdentityDocument& document) {
  json::array brokers;
  for (const auto& broker : document.brokers) {
    brokers.push_back(json::object{{"host", broker.host}, {"port", broker.port}});
  }
  const json::object out{
      {"version", kVersion},
      {"agent_id", document.agent.value()},
      {"tenant", document.tenant.value()},
      {"shard", document.shard},
      {"server", json::object{{"host", document.server.host},
                              {"port", document.server.port},
                              {"spki_sha256", document.server.spki_sha256}}},
      {"brokers", brokers},
      {"controlplane_public_key", text::to_hex(document.controlplane_public_key)},
      {"confirmed", document.confirmed}};
  return json::serialize(out) + "\n";
}

Result<IdentityDocument> decode_identity(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return Error(Errc::kCorrupt, "not a JSON object");
  const auto& object = value.get_object();
  TRY_VOID(number_of(object, "version", kVersion, kVersion));
  TRY(const auto agent_text, text_of(object, "agent_id"));
  TRY(const auto tenant_text, text_of(object, "tenant"));
  TRY(auto agent, AgentId::parse(agent_text));
  TRY(auto tenant, TenantId::parse(tenant_text));
  TRY(const auto shard, number_of(object, "shard", 0, kShardCount - 1));
  TRY(auto server, server_of(object));
  TRY(auto brokers, brokers_of(object));
  TRY(const auto key_text, text_of(object, "controlplane_public_key"));
  const auto bytes = text::from_hex(key_text);
  signing::PublicKey32 key{};
  if (!bytes || bytes->size() != key.size()) return bad("controlplane_public_key");
  std::copy(bytes->begin(), bytes->end(), key.begin());
  const auto* confirmed = object.if_contains("confirmed");
  if (confirmed == nullptr || !confirmed->is_bool()) return bad("confirmed");
  return IdentityDocument{std::move(agent),     std::move(tenant),  shard,
                          std::move(server),    std::move(brokers), key,
                          confirmed->get_bool()};
}

}  // namespace observeai::agent::internal
