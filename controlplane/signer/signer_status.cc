#include "controlplane/signer/signer_status.h"

#include <boost/json.hpp>

namespace observeai::controlplane::signer {
namespace {

namespace json = boost::json;

Error corrupt() {
  return Error(Errc::kCorrupt, "the signer's status is not what this program knows");
}

Result<std::uint64_t> number_at(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return corrupt();
  return static_cast<std::uint64_t>(value->get_int64());
}

Result<signing::VerifyKey> key_at(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return corrupt();
  return signing::parse_verify_key(std::string_view(value->get_string()));
}

}  // namespace

std::string encode_status(const SignerStatus& status) {
  json::object refused;
  for (const auto& [word, count] : status.refused) refused[word] = static_cast<std::int64_t>(count);
  return json::serialize(
      json::object{{"signer_key", signing::to_text(status.signer_key)},
                   {"audit_key", signing::to_text(status.audit_key)},
                   {"root_version", static_cast<std::int64_t>(status.root_version)},
                   {"audit_seq", static_cast<std::int64_t>(status.audit_seq)},
                   {"signed_commands", static_cast<std::int64_t>(status.signed_commands)},
                   {"signed_times", static_cast<std::int64_t>(status.signed_times)},
                   {"refused", std::move(refused)}});
}

Result<SignerStatus> decode_status(std::string_view text) {
  boost::system::error_code failed;
  const auto parsed = json::parse(text, failed);
  if (failed || !parsed.is_object()) return corrupt();
  const auto& object = parsed.get_object();
  SignerStatus status;
  TRY(status.signer_key, key_at(object, "signer_key"));
  TRY(status.audit_key, key_at(object, "audit_key"));
  TRY(status.root_version, number_at(object, "root_version"));
  TRY(status.audit_seq, number_at(object, "audit_seq"));
  TRY(status.signed_commands, number_at(object, "signed_commands"));
  TRY(status.signed_times, number_at(object, "signed_times"));
  const auto* refused = object.if_contains("refused");
  if (refused == nullptr || !refused->is_object()) return corrupt();
  for (const auto& entry : refused->get_object()) {
    if (!entry.value().is_int64()) return corrupt();
    status.refused[std::string(entry.key())] =
        static_cast<std::uint64_t>(entry.value().get_int64());
  }
  return status;
}

}  // namespace observeai::controlplane::signer
