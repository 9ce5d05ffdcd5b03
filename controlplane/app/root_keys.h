// The root of trust of a quick start: one offline key that signs version 1 of the root metadata. A
// real organisation replaces it by a threshold of several (docs/security.md says how and why).
#pragma once

#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/id.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

// Makes <directory>/{root,signer,audit}.key and root-metadata.v1 when missing; returns the bytes of
// the newest root envelope, exactly as signed. A damaged file is an error, never replaced.
Result<std::string> ensure_root_metadata(const std::string& directory, const TenantId& tenant,
                                         const Clock& clock);

}  // namespace observeai::controlplane
