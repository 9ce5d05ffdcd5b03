#include "controlplane/broker/broker_config.h"

namespace observeai::controlplane {
namespace {

// Topic, packet header and MQTT framing around the largest sealed batch.
constexpr std::size_t kPacketOverhead = 1024;

Result<void> check_one_line(const std::string& name, const std::string& value) {
  if (value.empty()) return Error(Errc::kInvalid, "broker setting " + name + " is empty");
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Error(Errc::kInvalid, "broker setting " + name + " contains a control character");
    }
  }
  return {};
}

}  // namespace

Result<std::string> render_config(const BrokerSettings& settings) {
  TRY_VOID(check_one_line("address", settings.address));
  TRY_VOID(check_one_line("user", settings.user));
  if (settings.address.find(' ') != std::string::npos) {
    return Error(Errc::kInvalid, "broker setting address contains a space");
  }
  const auto number = [](std::uint64_t n) { return std::to_string(n) + "\n"; };
  std::string out =
      "# Written by observeai-controlplane; changes here are lost with the next generation.\n"
      "listener " +
      std::to_string(settings.port) + " " + settings.address + "\n";
  out += "cafile ca.pem\n";
  out += "certfile server.pem\n";
  out += "keyfile server.key\n";
  out += "crlfile crl.pem\n";
  out +=
      "require_certificate true\n"
      "use_identity_as_username true\n"
      "use_username_as_clientid true\n"
      "allow_anonymous false\n"
      "tls_version tlsv1.2\n";
  out += "acl_file acl\n";
  out += "user " + settings.user + "\n";
  out +=
      "persistence false\n"
      "sys_interval 0\n"
      "set_tcp_nodelay true\n"
      "log_dest stderr\n"
      "log_type error\n"
      "log_type warning\n"
      "log_type notice\n"
      "log_type information\n";
  out += "max_packet_size " + number(kMaxBrokerPayload + kPacketOverhead);
  out += "message_size_limit " + number(kMaxBrokerPayload);
  out += "max_inflight_messages " + number(settings.max_inflight_messages);
  out += "max_queued_messages " + number(settings.max_queued_messages);
  out += "max_queued_bytes " + number(settings.max_queued_bytes);
  out += "max_keepalive " + number(settings.max_keepalive_s);
  return out;
}

Result<std::string> render_acl(const BrokerSettings& settings,
                               const std::vector<AgentId>& revoked) {
  std::string out =
      "# Agents, by the common name of their certificate.\n"
      "pattern write observeai/v1/+/+/%u/up/#\n"
      "pattern read observeai/v1/+/+/%u/down/#\n";
  const auto user = [&out](const std::string& name, std::initializer_list<std::string> topics) {
    out.append("\nuser ").append(name).append("\n");
    for (const auto& topic : topics) out.append("topic ").append(topic).append("\n");
  };
  for (const auto& name : settings.ingest_names) {
    if (!is_valid_id(name)) return Error(Errc::kInvalid, "ingest name is not an id: " + name);
    user(name, {"read observeai/v1/+/+/+/up/#", "write observeai/v1/+/+/+/down/#"});
  }
  const std::string tenant(kCanaryTenant);
  user(kCanaryWatcher, {"read observeai/v1/" + tenant + "/+/+/up/#",
                        "write observeai/v1/" + tenant + "/+/+/down/#"});
  for (const auto& agent : revoked) {
    if (agent.empty()) return Error(Errc::kInvalid, "a revoked agent has no id");
    user(agent.value(), {"deny #"});
  }
  return out;
}

}  // namespace observeai::controlplane
