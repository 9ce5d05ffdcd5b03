// The bytes of a sealed message, one step below sealed.h: for tests with a fixed nonce.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::wire::detail {

// One prefix per kind of message: a sealed ack never opens as a hello.
inline constexpr std::string_view kBatchDomain = "observeai/v1/batch";
inline constexpr std::string_view kHelloDomain = "observeai/v1/hello";
inline constexpr std::string_view kAckDomain = "observeai/v1/ack";
inline constexpr std::string_view kCommandDomain = "observeai/v1/cmd";
inline constexpr std::string_view kMetaDomain = "observeai/v1/meta";

// domain 0x00 context. No domain has a 0x00, so no two pairs give the same bytes.
std::string associated_data(std::string_view domain, std::string_view context);

// SealedBatch of batch.proto. Both parts are views into `bytes` after split.
struct SealedParts {
  std::string_view header;
  std::string_view sealed_body;
};
std::string join(const SealedParts& parts);
// kLimit above kMaxSealedBytes, looked at first; kCorrupt unless `bytes` is exactly join() of two
// parts.
Result<SealedParts> split(std::string_view bytes);

}  // namespace observeai::wire::detail
