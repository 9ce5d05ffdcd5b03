#include "agent/app/known_root.h"

#include "protocol/base/text.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::agent {
namespace {

Result<signing::RootMetadata> read_root(std::string_view envelope) {
  TRY(const auto opened, wire::decode_envelope(envelope));
  return wire::decode_root(opened.payload);
}

}  // namespace

Result<KnownRoot> KnownRoot::create(Spool& spool, const std::string& pinned) {
  TRY(const auto remembered, spool.fact(kFact));
  if (remembered) {
    TRY(const auto envelope, text::from_base64url(*remembered));
    TRY(auto root, read_root(text::as_text(envelope)));
    return KnownRoot(spool, std::move(root));
  }
  TRY(auto root, read_root(pinned));
  return KnownRoot(spool, std::move(root));
}

Result<void> KnownRoot::take(const std::vector<std::string>& roots) {
  for (const auto& envelope : roots) {
    TRY(const auto said, read_root(envelope));
    if (said.version <= root_.version) continue;
    constexpr std::int64_t kAnyTime = 0;  // Expiry stops commands, not following
    TRY(auto next, wire::verify_next_root(root_, envelope, kAnyTime));
    TRY_VOID(spool_->set_fact(kFact, text::to_base64url(text::as_bytes(envelope))));
    root_ = std::move(next.root);
  }
  return {};
}

}  // namespace observeai::agent
