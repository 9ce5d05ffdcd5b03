#include "controlplane/audit/heads.h"

#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::audit {
namespace {

Result<signing::SignedEnvelope> open(std::string_view envelope) {
  if (envelope.size() > kMaxHeadBytes)
    return Error(Errc::kLimit, "longer than any signed audit head");
  return wire::decode_envelope(envelope);
}

}  // namespace

Result<wire::AuditHead> read_head(std::string_view envelope) {
  TRY(const auto opened, open(envelope));
  if (opened.type != wire::kAuditHeadType)
    return Error(Errc::kCorrupt, "an envelope of another type than an audit head");
  return wire::decode_audit_head(opened.payload);
}

Result<std::size_t> signer_of_head(std::string_view envelope,
                                   std::span<const signing::VerifyKey> keys) {
  TRY(const auto opened, open(envelope));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (signing::verify(opened, wire::kAuditHeadType, 1, keys.subspan(i, 1))) return i;
  }
  return Error(Errc::kDenied, "not signed by the audit key");
}

}  // namespace observeai::controlplane::audit
