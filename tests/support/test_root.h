// Root metadata of one offline key, in versions.
#pragma once

#include <string>

#include "protocol/signing/root_metadata.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::test {

struct TestRoot {
  signing::SigningKeyPair key = signing::SigningKeyPair::generate();
  signing::SigningKeyPair audit_key = signing::SigningKeyPair::generate();

  signing::RootMetadata metadata(std::uint64_t version) const {
    signing::RootMetadata root;
    root.version = version;
    root.expires_ms = 4'000'000'000'000;
    root.root_threshold = 1;
    root.root_keys = {key.public_key()};
    root.audit_key = audit_key.public_key();
    return root;
  }
  std::string sign(const signing::RootMetadata& root) const {
    signing::SignedEnvelope envelope{signing::kRootType, wire::encode_root(root), {}};
    signing::add_signature(envelope, key);
    return wire::encode_envelope(envelope);
  }
  std::string envelope(std::uint64_t version) const { return sign(metadata(version)); }
};

}  // namespace observeai::test
