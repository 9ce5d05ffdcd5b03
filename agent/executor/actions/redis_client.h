// A Redis server, one request at a time. hiredis builds requests and reads replies; waiting is done here, so
// that a server that answers byte by byte cannot hold the executor beyond the run's deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct RedisReply {
  enum class Kind : std::uint8_t { kNil = 1, kInteger = 2, kText = 3, kList = 4 };
  Kind kind = Kind::kNil;
  std::int64_t integer = 0;
  std::string text;  // Bytes of any kind
  std::vector<RedisReply> items;
};

class RedisClient {
 public:
  static constexpr std::size_t kMaxReplyBytes = 16U << 20;
  static constexpr int kMaxReplyItems = 100'000;

  // "127.0.0.1:6379", "[::1]:6379" or "unix:/run/redis.sock"; names of hosts are not looked up. kInvalid,
  // kUnavailable, kTimeout. The run outlives the client.
  static Result<std::unique_ptr<RedisClient>> connect(const std::string& address, const Run& run);
  virtual ~RedisClient() = default;
  // kDenied: the server wants a password or forbids it; kUnavailable: another error of the server, or it
  // hung up; kTimeout; kLimit: a reply beyond the bounds; kCorrupt: none of Redis. After an error of the
  // last four nothing more is to be asked.
  virtual Result<RedisReply> call(const std::vector<std::string>& arguments) = 0;
};

}  // namespace observeai::agent::executor
