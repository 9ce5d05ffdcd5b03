#include "protocol/wire/envelope_codec.h"

#include <algorithm>

#include "observeai/v1/trust.pb.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/shape.h"

namespace observeai::wire {
namespace {

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "envelope: " + std::string(why));
}

Result<signing::Signature> read_signature(const v1::SignedEnvelope::Signature& in) {
  signing::Signature out;
  const auto id = signing::parse_key_id(in.key_id());
  if (!id) return corrupt(id.error().message());
  if (in.signature().size() != out.bytes.size()) return corrupt("a signature is not 64 bytes");
  out.key_id = *id;
  std::copy(in.signature().begin(), in.signature().end(), out.bytes.begin());
  return out;
}

bool is_type(const std::string& type) {
  return !type.empty() && type.size() <= kMaxEnvelopeTypeBytes &&
         std::all_of(type.begin(), type.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::string encode_envelope(const signing::SignedEnvelope& envelope) {
  v1::SignedEnvelope out;
  out.set_type(envelope.type);
  out.set_payload(envelope.payload);
  for (const auto& signature : envelope.signatures) {
    auto& added = *out.add_signatures();
    added.set_key_id(signature.key_id.value());
    added.set_signature(std::string(text::as_text(signature.bytes)));
  }
  return out.SerializeAsString();
}

Result<signing::SignedEnvelope> decode_envelope(std::string_view bytes) {
  if (bytes.size() > kMaxEnvelopeBytes) {
    return Error(Errc::kLimit, "envelope of " + std::to_string(bytes.size()) + " bytes is above " +
                                   std::to_string(kMaxEnvelopeBytes));
  }
  const auto structure = detail::structure_bytes(bytes, detail::kEnvelopeShape, kMaxDecodedBytes);
  if (!structure) return corrupt(structure.error().message());
  v1::SignedEnvelope in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  if (!is_type(in.type())) return corrupt("bad type");
  if (in.signatures_size() > static_cast<int>(signing::kMaxSignatures))
    return corrupt("too many signatures");
  signing::SignedEnvelope envelope{.type = in.type(), .payload = in.payload(), .signatures = {}};
  for (const auto& signature : in.signatures()) {
    TRY(auto value, read_signature(signature));
    envelope.signatures.push_back(std::move(value));
  }
  if (encode_envelope(envelope) != bytes) return corrupt("not in its one form");
  return envelope;
}

}  // namespace observeai::wire
