// What control plane and signer say to each other on signer.sock: length(4, little endian, of kind and
// body) kind(1) body. One request, one reply, in turn; several connections at once. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::controlplane::signer {

inline constexpr std::size_t kMaxFrameBytes = 2U << 20;
// Of one kSign; larger batches are several. Leaves room for what a signature adds to each.
inline constexpr std::size_t kMaxSignBytes = 1U << 20;
inline constexpr std::size_t kMaxSignItems = 1024;

enum class FrameKind : std::uint8_t {
  kSign = 1,       // encode_list() of commands -> kSigned
  kTime = 2,       // wire::encode_time() -> kEnvelope
  kAuditHead = 3,  // wire::encode_audit_head() -> kEnvelope
  kRoots = 4,      // encode_list() of envelopes -> kDone
  kRevoke = 5,     // An agent's id -> kDone
  kStatus = 6,     // Empty -> kStatusReply
  kSigned = 64,    // encode_outcomes()
  kEnvelope = 65,
  kDone = 66,
  kStatusReply = 67,  // JSON, see SignerStatus
  kError = 68,        // encode_outcome() of the error
};

struct Frame {
  FrameKind kind = FrameKind::kError;
  std::string body;
};

using Outcome = Result<std::string>;

std::string encode_frame(FrameKind kind, std::string_view body);
// The first frame of `buffer`, and how many bytes it took; nullopt: more is needed. kLimit: too long;
// kCorrupt: empty, or a kind that there is not.
struct Taken {
  Frame frame;
  std::size_t bytes = 0;
};
Result<std::optional<Taken>> take_frame(std::string_view buffer);

// Items of length(4, little endian) bytes. kCorrupt when they do not fill the body exactly.
std::string encode_list(const std::vector<std::string>& items);
Result<std::vector<std::string>> decode_list(std::string_view body);

// 0 and the envelope, or 1 + Errc and the message.
std::string encode_outcome(const Outcome& outcome);
// kCorrupt for what encode_outcome() does not make; the outcome may itself be an error.
Result<Outcome> decode_outcome(std::string_view item);

}  // namespace observeai::controlplane::signer
