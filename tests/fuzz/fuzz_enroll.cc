// What enrollment reads before anybody is known: tokens, PEM of certificates, requests, keys and
// revocation lists, the JSON of enroll, confirm and renew, and the host's identity file. The first
// byte chooses. What decodes encodes, and decodes to the same again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/enroll/identity_document.h"
#include "protocol/pki/certificate.h"
#include "protocol/pki/crl.h"
#include "protocol/pki/enroll_messages.h"
#include "protocol/pki/enrollment_token.h"
#include "protocol/pki/private_key.h"

using namespace observeai;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// One JSON message: encoding what was decoded is stable.
template <class Message>
void check_message(std::string_view text, Result<Message> (*decode)(std::string_view)) {
  const auto message = decode(text);
  if (!message) {
    require(!message.error().message().empty());
    return;
  }
  const std::string once = pki::encode(*message);
  const auto again = decode(once);
  require(again.has_value());
  require(pki::encode(*again) == once);
}

void check_token(std::string_view text) {
  const auto token = pki::parse_token(text);
  if (!token) return;
  const std::string canonical = pki::format_token(*token);
  require(text.find(canonical) != std::string_view::npos);  // But for white space around it
  require(pki::parse_token(canonical)->secret == token->secret);
}

void check_identity(std::string_view text) {
  const auto identity = agent::internal::decode_identity(text);
  if (!identity) return;
  const std::string once = agent::internal::encode(*identity);
  const auto again = agent::internal::decode_identity(once);
  require(again.has_value());
  require(agent::internal::encode(*again) == once);
}

void check_certificate(std::string_view text) {
  const auto certificate = pki::parse_certificate(text);
  if (certificate) {
    const auto again = pki::parse_certificate(certificate->pem);
    require(again.has_value());
    require(again->pem == certificate->pem);
    require(again->spki_sha256 == certificate->spki_sha256);
    (void)pki::parse_revocation_list(text, *certificate);
  }
  (void)pki::parse_bundle(text);
}

void check_request(std::string_view text) {
  const auto request = pki::parse_request(text);
  if (request) require(request->spki_sha256.size() == 64 && !request->der.empty());
}

// A list that the authority did not sign is refused, whatever it is.
void check_revocation_list(std::string_view text) {
  static const pki::Certificate stranger = [] {
    const auto key = pki::PrivateKey::generate().value();
    return pki::make_authority(key, "fuzz", pki::validity_from(1'700'000'000'000, 86'400'000))
        .value();
  }();
  require(!pki::parse_revocation_list(text, stranger).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      check_token(text);
      break;
    case 'c':
      check_certificate(text);
      break;
    case 'r':
      check_request(text);
      break;
    case 'l':
      check_revocation_list(text);
      break;
    case 'k':
      (void)pki::PrivateKey::from_pem(text);
      break;
    case 'i':
      check_identity(text);
      break;
    case 'h':
      (void)pki::decode_health_time(text);
      (void)pki::decode_error_message(text);
      break;
    default:
      check_message(text, pki::decode_enroll_request);
      check_message(text, pki::decode_enroll_response);
      check_message(text, pki::decode_confirm_request);
      check_message(text, pki::decode_confirm_response);
      check_message(text, pki::decode_renew_request);
      check_message(text, pki::decode_renew_response);
  }
  return 0;
}
