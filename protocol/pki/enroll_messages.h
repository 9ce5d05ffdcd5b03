// The JSON bodies of enrollment, shared by both sides:
//
//   POST /v1/enroll          EnrollRequest   -> EnrollResponse
//   POST /v1/enroll/confirm  ConfirmRequest  -> ConfirmResponse
//   POST /v1/renew           RenewRequest    -> RenewResponse
//   any of them, refused                     -> {"error": {"code", "message"}}
//
// Decoding is strict about what it knows (type, size, alphabet; the error names the field) and
// ignores keys it does not know, so that either side may be newer. Binary fields are base64url.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::pki {

// A request is small; what is larger is refused before it is parsed.
inline constexpr std::size_t kMaxEnrollBodyBytes = 64U << 10;

struct EnrollRequest {
  std::string token_id;
  std::array<std::uint8_t, 32> secret{};
  std::string csr_pem;
  std::string hostname;
  std::string machine_id_sha256;                      // Hex, "" when the host has none
  std::array<std::uint8_t, 32> sealing_public_key{};  // X25519
  std::array<std::uint8_t, 32> result_public_key{};   // Ed25519
  std::string agent_version;
  std::int64_t wall_time_ms = 0;
};

struct BrokerAddress {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const BrokerAddress&) const = default;
};

struct EnrollResponse {
  std::string agent_id;
  std::string tenant;
  std::uint32_t shard = 0;
  std::string certificate_pem;
  std::string agent_ca_pem;            // Bundle that the host checks its own certificate against
  std::string server_ca_pem;           // Bundle that the broker's certificate is checked against
  std::vector<BrokerAddress> brokers;  // At least one; tried in order
  std::array<std::uint8_t, 32> controlplane_public_key{};  // X25519
  std::string root_metadata;                               // Envelope bytes, exactly as signed
  std::int64_t server_time_ms = 0;
};

// `signature` is by the enrolled TLS key over confirm_statement().
struct ConfirmRequest {
  std::string agent_id;
  std::int64_t timestamp_ms = 0;
  std::string signature;
};
struct ConfirmResponse {
  bool active = false;  // False: waiting for a person's approval
  std::int64_t server_time_ms = 0;
};

// `signature` is by the key of `certificate_pem` over renew_statement().
struct RenewRequest {
  std::string agent_id;
  std::string certificate_pem;
  std::string csr_pem;
  std::int64_t timestamp_ms = 0;
  std::string signature;
};
struct RenewResponse {
  std::string certificate_pem;
  std::string agent_ca_pem;
  std::string server_ca_pem;
  std::vector<BrokerAddress> brokers;
  std::int64_t server_time_ms = 0;
};

// What is signed. Each kind of statement starts with its own word: none can pass for another.
std::string confirm_statement(std::string_view agent_id, std::int64_t timestamp_ms);
// `csr_der` is CertificateRequest::der of the request that is sent.
std::string renew_statement(std::string_view agent_id, std::int64_t timestamp_ms,
                            std::string_view csr_der);

std::string encode(const EnrollRequest& value);
std::string encode(const EnrollResponse& value);
std::string encode(const ConfirmRequest& value);
std::string encode(const ConfirmResponse& value);
std::string encode(const RenewRequest& value);
std::string encode(const RenewResponse& value);
std::string encode_error(const Error& error);

Result<EnrollRequest> decode_enroll_request(std::string_view json);
Result<EnrollResponse> decode_enroll_response(std::string_view json);
Result<ConfirmRequest> decode_confirm_request(std::string_view json);
Result<ConfirmResponse> decode_confirm_response(std::string_view json);
Result<RenewRequest> decode_renew_request(std::string_view json);
Result<RenewResponse> decode_renew_response(std::string_view json);
// The message of an error body, made printable; the body itself, cut, when it is not one.
std::string decode_error_message(std::string_view body);

// The body of GET /v1/health: {"time_ms": N, ...}. kInvalid without a time.
Result<std::int64_t> decode_health_time(std::string_view json);

// "25h 0m ahead of" or "3m behind": how this clock stands to the other, for messages.
std::string describe_clock_offset(std::int64_t mine_ms, std::int64_t theirs_ms);
// Clocks further apart than this make TLS and signed commands fail.
inline constexpr std::int64_t kMaxClockOffsetMs = 5 * 60'000;

}  // namespace observeai::pki
