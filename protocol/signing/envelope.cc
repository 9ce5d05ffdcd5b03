#include "protocol/signing/envelope.h"

#include <set>

#include "protocol/base/text.h"

namespace observeai::signing {

std::string pae(std::string_view type, std::string_view payload) {
  std::string out = "DSSEv1 ";
  out.append(std::to_string(type.size())).append(" ").append(type).append(" ");
  out.append(std::to_string(payload.size())).append(" ").append(payload);
  return out;
}

void add_signature(SignedEnvelope& envelope, const SigningKeyPair& key) {
  envelope.signatures.push_back({key.id(), key.sign(pae(envelope.type, envelope.payload))});
}

Result<std::vector<VerifyKey>> verify(const SignedEnvelope& envelope,
                                      std::string_view expected_type, std::size_t threshold,
                                      std::span<const VerifyKey> trusted) {
  if (threshold == 0) return Error(Errc::kInvalid, "a threshold of 0 signatures trusts everybody");
  if (envelope.signatures.size() > kMaxSignatures) {
    return Error(Errc::kLimit, "envelope has " + std::to_string(envelope.signatures.size()) +
                                   " signatures, the limit is " + std::to_string(kMaxSignatures));
  }
  if (envelope.type != expected_type) {
    return Error(Errc::kDenied, "envelope is of type \"" +
                                    text::escape_unprintable(envelope.type, 80) +
                                    "\", expected \"" + std::string(expected_type) + "\"");
  }
  const std::string message = pae(envelope.type, envelope.payload);
  std::set<VerifyKey> valid;
  for (const auto& signature : envelope.signatures) {
    for (const auto& key : trusted) {
      if (key_id(key) == signature.key_id && !valid.contains(key) &&
          verify(message, signature.bytes, key)) {
        valid.insert(key);
      }
    }
  }
  if (valid.size() < threshold) {
    return Error(Errc::kDenied, "envelope has valid signatures of " + std::to_string(valid.size()) +
                                    " trusted keys, " + std::to_string(threshold) + " are needed");
  }
  return std::vector<VerifyKey>(valid.begin(), valid.end());
}

}  // namespace observeai::signing
