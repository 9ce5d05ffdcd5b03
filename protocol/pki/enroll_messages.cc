#include "protocol/pki/enroll_messages.h"

#include <openssl/sha.h>
#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::pki {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxPem = 16U << 10;
constexpr std::size_t kMaxBundlePem = 64U << 10;
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxSignature = 128;
constexpr std::size_t kMaxRootMetadata = 1U << 20;
constexpr std::size_t kMaxBrokers = 16;
// Responses carry a CA bundle and root metadata.
constexpr std::size_t kMaxResponseBytes = 4U << 20;

Error bad_field(std::string_view field, std::string_view rule) {
  return Error(Errc::kInvalid, std::string("field \"").append(field).append("\" ").append(rule));
}

Result<json::object> parse_object(std::string_view text, std::size_t limit) {
  if (text.size() > limit) {
    return Error(Errc::kLimit, "body is longer than " + std::to_string(limit) + " bytes");
  }
  json::parse_options options;
  options.max_depth = 8;
  json::error_code error;
  auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return Error(Errc::kInvalid, "body is not JSON: " + error.message());
  if (!value.is_object()) return Error(Errc::kInvalid, "body is not a JSON object");
  return std::move(value.get_object());
}

Result<const json::value*> member(const json::object& object, std::string_view field) {
  const auto* value = object.if_contains(json::string_view(field.data(), field.size()));
  if (value == nullptr) return bad_field(field, "is missing");
  return value;
}

Result<std::string> text_field(const json::object& object, std::string_view field,
                               std::size_t limit) {
  TRY(const auto* value, member(object, field));
  const auto* text = value->if_string();
  if (text == nullptr) return bad_field(field, "must be a string");
  if (text->size() > limit) {
    return bad_field(field, "is longer than " + std::to_string(limit) + " bytes");
  }
  return std::string(text->data(), text->size());
}

Result<std::int64_t> integer_field(const json::object& object, std::string_view field,
                                   std::int64_t low, std::int64_t high) {
  TRY(const auto* value, member(object, field));
  json::error_code error;
  const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : std::int64_t{0};
  if (!value->is_number() || error || number < low || number > high) {
    return bad_field(field, "must be a whole number from " + std::to_string(low) + " to " +
                                std::to_string(high));
  }
  return number;
}

// Unix milliseconds up to the year 9999.
Result<std::int64_t> time_field(const json::object& object, std::string_view field) {
  return integer_field(object, field, 0, 253'402'300'799'999);
}

Result<std::string> bytes_field(const json::object& object, std::string_view field,
                                std::size_t limit) {
  TRY(const auto text, text_field(object, field, limit * 4 / 3 + 2));
  const auto bytes = text::from_base64url(text);
  if (!bytes) return bad_field(field, "must be base64url without padding");
  return std::string(text::as_text(*bytes));
}

Result<std::array<std::uint8_t, 32>> key_field(const json::object& object, std::string_view field) {
  TRY(const auto bytes, bytes_field(object, field, 32));
  std::array<std::uint8_t, 32> out{};
  if (bytes.size() != out.size()) return bad_field(field, "must be 32 bytes in base64url");
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

json::array brokers_value(const std::vector<BrokerAddress>& brokers) {
  json::array out;
  for (const auto& broker : brokers) {
    out.push_back(json::object{{"host", broker.host}, {"port", broker.port}});
  }
  return out;
}

Result<std::vector<BrokerAddress>> brokers_field(const json::object& object) {
  TRY(const auto* value, member(object, "brokers"));
  const auto* list = value->if_array();
  if (list == nullptr || list->empty() || list->size() > kMaxBrokers) {
    return bad_field("brokers", "must be a list of 1 to 16 addresses");
  }
  std::vector<BrokerAddress> out;
  for (const auto& item : *list) {
    const auto* address = item.if_object();
    if (address == nullptr) return bad_field("brokers", "must hold objects");
    TRY(auto host, text_field(*address, "host", kMaxName));
    TRY(const auto port, integer_field(*address, "port", 1, 65535));
    if (host.empty()) return bad_field("host", "is empty");
    out.push_back({std::move(host), static_cast<std::uint16_t>(port)});
  }
  return out;
}

std::string encode_bytes(std::string_view bytes) {
  return text::to_base64url(text::as_bytes(bytes));
}

std::string to_text(const json::object& object) {
  return json::serialize(object);
}

}  // namespace

std::string confirm_statement(std::string_view agent_id, std::int64_t timestamp_ms) {
  return "observeai.confirm.v1\n" + std::string(agent_id) + "\n" + std::to_string(timestamp_ms);
}

std::string renew_statement(std::string_view agent_id, std::int64_t timestamp_ms,
                            std::string_view csr_der) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(text::as_bytes(csr_der).data(), csr_der.size(), digest.data());
  return "observeai.renew.v1\n" + text::to_hex(digest) + "\n" + std::to_string(timestamp_ms) +
         "\n" + std::string(agent_id);
}

std::string encode(const EnrollRequest& value) {
  return to_text({{"token_id", value.token_id},
                  {"secret", text::to_base64url(value.secret)},
                  {"csr_pem", value.csr_pem},
                  {"hostname", value.hostname},
                  {"machine_id_sha256", value.machine_id_sha256},
                  {"sealing_public_key", text::to_base64url(value.sealing_public_key)},
                  {"result_public_key", text::to_base64url(value.result_public_key)},
                  {"agent_version", value.agent_version},
                  {"wall_time_ms", value.wall_time_ms}});
}

Result<EnrollRequest> decode_enroll_request(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxEnrollBodyBytes));
  EnrollRequest out;
  TRY(out.token_id, text_field(object, "token_id", 64));
  TRY(out.secret, key_field(object, "secret"));
  TRY(out.csr_pem, text_field(object, "csr_pem", kMaxPem));
  TRY(out.hostname, text_field(object, "hostname", kMaxName));
  TRY(out.machine_id_sha256, text_field(object, "machine_id_sha256", 64));
  TRY(out.sealing_public_key, key_field(object, "sealing_public_key"));
  TRY(out.result_public_key, key_field(object, "result_public_key"));
  TRY(out.agent_version, text_field(object, "agent_version", 64));
  TRY(out.wall_time_ms, time_field(object, "wall_time_ms"));
  return out;
}

std::string encode(const EnrollResponse& value) {
  return to_text({{"agent_id", value.agent_id},
                  {"tenant", value.tenant},
                  {"shard", value.shard},
                  {"certificate_pem", value.certificate_pem},
                  {"agent_ca_pem", value.agent_ca_pem},
                  {"server_ca_pem", value.server_ca_pem},
                  {"brokers", brokers_value(value.brokers)},
                  {"controlplane_public_key", text::to_base64url(value.controlplane_public_key)},
                  {"root_metadata", encode_bytes(value.root_metadata)},
                  {"server_time_ms", value.server_time_ms}});
}

Result<EnrollResponse> decode_enroll_response(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxResponseBytes));
  EnrollResponse out;
  TRY(out.agent_id, text_field(object, "agent_id", 64));
  TRY(out.tenant, text_field(object, "tenant", 64));
  TRY(const auto shard, integer_field(object, "shard", 0, 63));
  out.shard = static_cast<std::uint32_t>(shard);
  TRY(out.certificate_pem, text_field(object, "certificate_pem", kMaxPem));
  TRY(out.agent_ca_pem, text_field(object, "agent_ca_pem", kMaxBundlePem));
  TRY(out.server_ca_pem, text_field(object, "server_ca_pem", kMaxBundlePem));
  TRY(out.brokers, brokers_field(object));
  TRY(out.controlplane_public_key, key_field(object, "controlplane_public_key"));
  TRY(out.root_metadata, bytes_field(object, "root_metadata", kMaxRootMetadata));
  TRY(out.server_time_ms, time_field(object, "server_time_ms"));
  return out;
}

std::string encode(const ConfirmRequest& value) {
  return to_text({{"agent_id", value.agent_id},
                  {"timestamp_ms", value.timestamp_ms},
                  {"signature", encode_bytes(value.signature)}});
}

Result<ConfirmRequest> decode_confirm_request(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxEnrollBodyBytes));
  ConfirmRequest out;
  TRY(out.agent_id, text_field(object, "agent_id", 64));
  TRY(out.timestamp_ms, time_field(object, "timestamp_ms"));
  TRY(out.signature, bytes_field(object, "signature", kMaxSignature));
  return out;
}

std::string encode(const ConfirmResponse& value) {
  return to_text(
      {{"state", value.active ? "active" : "pending"}, {"server_time_ms", value.server_time_ms}});
}

Result<ConfirmResponse> decode_confirm_response(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxResponseBytes));
  ConfirmResponse out;
  TRY(const auto state, text_field(object, "state", 16));
  if (state != "active" && state != "pending") {
    return bad_field("state", "must be \"active\" or \"pending\"");
  }
  out.active = state == "active";
  TRY(out.server_time_ms, time_field(object, "server_time_ms"));
  return out;
}

std::string encode(const RenewRequest& value) {
  return to_text({{"agent_id", value.agent_id},
                  {"certificate_pem", value.certificate_pem},
                  {"csr_pem", value.csr_pem},
                  {"timestamp_ms", value.timestamp_ms},
                  {"signature", encode_bytes(value.signature)}});
}

Result<RenewRequest> decode_renew_request(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxEnrollBodyBytes));
  RenewRequest out;
  TRY(out.agent_id, text_field(object, "agent_id", 64));
  TRY(out.certificate_pem, text_field(object, "certificate_pem", kMaxPem));
  TRY(out.csr_pem, text_field(object, "csr_pem", kMaxPem));
  TRY(out.timestamp_ms, time_field(object, "timestamp_ms"));
  TRY(out.signature, bytes_field(object, "signature", kMaxSignature));
  return out;
}

std::string encode(const RenewResponse& value) {
  return to_text({{"certificate_pem", value.certificate_pem},
                  {"agent_ca_pem", value.agent_ca_pem},
                  {"server_ca_pem", value.server_ca_pem},
                  {"brokers", brokers_value(value.brokers)},
                  {"server_time_ms", value.server_time_ms}});
}

Result<RenewResponse> decode_renew_response(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxResponseBytes));
  RenewResponse out;
  TRY(out.certificate_pem, text_field(object, "certificate_pem", kMaxPem));
  TRY(out.agent_ca_pem, text_field(object, "agent_ca_pem", kMaxBundlePem));
  TRY(out.server_ca_pem, text_field(object, "server_ca_pem", kMaxBundlePem));
  TRY(out.brokers, brokers_field(object));
  TRY(out.server_time_ms, time_field(object, "server_time_ms"));
  return out;
}

std::string encode_error(const Error& error) {
  return to_text({{"error", json::object{{"code", json::string_view(to_string(error.code()))},
                                         {"message", error.message()}}}});
}

std::string decode_error_message(std::string_view body) {
  constexpr std::size_t kMaxMessage = 1000;
  if (const auto object = parse_object(body, kMaxEnrollBodyBytes)) {
    const auto* error = object->if_contains("error");
    const auto* inner = error != nullptr ? error->if_object() : nullptr;
    const auto* message = (inner != nullptr ? *inner : *object).if_contains("message");
    if (message != nullptr && message->is_string()) {
      const auto& text = message->get_string();
      return text::escape_unprintable({text.data(), text.size()}, kMaxMessage);
    }
  }
  return text::escape_unprintable(body, 200);
}

Result<std::int64_t> decode_health_time(std::string_view body) {
  TRY(const auto object, parse_object(body, kMaxResponseBytes));
  return time_field(object, "time_ms");
}

std::string describe_clock_offset(std::int64_t mine_ms, std::int64_t theirs_ms) {
  const auto seconds = std::abs(mine_ms - theirs_ms) / 1000;
  std::string out;
  if (seconds >= 3600) {
    out = std::to_string(seconds / 3600) + "h " + std::to_string(seconds / 60 % 60) + "m";
  } else if (seconds >= 60) {
    out = std::to_string(seconds / 60) + "m " + std::to_string(seconds % 60) + "s";
  } else {
    out = std::to_string(seconds) + "s";
  }
  return out + (mine_ms >= theirs_ms ? " ahead of" : " behind");
}

}  // namespace observeai::pki
