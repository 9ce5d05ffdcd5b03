// Requests of the agent and replies of the executor on executor.sock: length(4, little endian) kind(1)
// body. One
// request, one reply; several connections at once. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxFrameBytes = 2U << 20;  // Length counts kind and body
inline constexpr std::size_t kMaxPendingResults =
    64;  // Told at once; the rest with the next request

enum class FrameKind : std::uint8_t {
  kStatus = 1,   // Empty -> kStatusReply
  kCommand = 2,  // An envelope, as received -> kResult, when it is over
  kTime = 3,     // An envelope with a TimeStatement -> kDone or kError
  kRoots = 4,    // Envelopes of root metadata, encode_list() -> kDone or kError
  kResults = 5,  // Empty -> kResultList: what is not spooled yet
  kSpooled = 6,  // sha256 (32 bytes each) of result envelopes that are -> kDone
  kStatusReply = 64,
  kResult = 65,      // An envelope with a CommandResult
  kResultList = 66,  // encode_list()
  kDone = 67,        // Empty
  kError = 68,       // Text: why
};

struct Frame {
  FrameKind kind = FrameKind::kError;
  std::string body;
};

// What a hello tells of the executor.
struct Status {
  wire::Bytes16 session{};
  wire::Bytes16 time_challenge{};  // To be answered by a TimeStatement; zeros: the time is known
  std::uint64_t command_seq = 0;   // Highest seen
  std::uint64_t root_version = 0;  // In force
  std::string policy_hash;         // 64 hex digits, or "" when the policy cannot be read
  std::string
      state;  // "ready", "disabled", "not enrolled", "root expired", "time unknown", "policy: <why>"
  bool operator==(const Status&) const = default;
};

std::string encode_frame(const Frame& frame);
// The first frame of `buffer`, and how many bytes it took; nullopt: more is needed. kLimit: too long;
// kCorrupt: a
// kind that there is not.
struct Taken {
  Frame frame;
  std::size_t bytes = 0;
};
Result<std::optional<Taken>> take_frame(std::string_view buffer);

std::string encode_status(const Status& status);
Result<Status> decode_status(std::string_view body);
std::string encode_list(const std::vector<std::string>& items);
Result<std::vector<std::string>> decode_list(std::string_view body);

}  // namespace observeai::agent::executor
