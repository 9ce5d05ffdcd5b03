#include "agent/executor/actions/redis_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <string.h>

#include <algorithm>
#include <chrono>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxDepth = 7;                     // hiredis reads no deeper
constexpr milliseconds kConnectPatience{3'000};  // On one host a connection stands at once

struct FreeReply {
  void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

struct FreeContext {
  void operator()(redisContext* context) const { ::redisFree(context); }
};

// hiredis takes memory for as many items as a server claims. privdata: hiredis's own functions.
void* bounded_array(const redisReadTask* task, int items) {
  if (items > RedisClient::kMaxReplyItems) return nullptr;
  return static_cast<const redisReplyObjectFunctions*>(task->privdata)->createArray(task, items);
}

RedisReply value_of(const redisReply& reply, int depth) {
  RedisReply out;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      out.kind = RedisReply::Kind::kInteger;
      out.integer = reply.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:  // Of an item; that of a whole reply is an Error
      out.kind = RedisReply::Kind::kText;
      out.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_ARRAY:
      out.kind = RedisReply::Kind::kList;
      for (std::size_t i = 0; i < reply.elements && depth < kMaxDepth; ++i)
        out.items.push_back(value_of(*reply.element[i], depth + 1));
      break;
    default:
      break;
  }
  return out;
}

// The server's own words, for people.
Error refusal(std::string_view words) {
  const bool denied = words.starts_with("NOAUTH") || words.starts_with("NOPERM") ||
                      words.starts_with("WRONGPASS") || words.starts_with("ERR AUTH");
  return Error(denied ? Errc::kDenied : Errc::kUnavailable,
               "redis: " + text::escape_unprintable(words, 256));
}

struct Address {
  std::string path;  // Of a unix socket, or empty
  std::string host;
  int port = 0;
};

Result<Address> parse_address(const std::string& given) {
  constexpr std::string_view kUnix = "unix:";
  Address out;
  if (given.starts_with(kUnix)) {
    out.path = given.substr(kUnix.size());
    if (out.path.starts_with('/')) return out;
  }
  const auto colon = given.rfind(':');
  const std::string_view digits =
      colon == std::string::npos ? "" : std::string_view(given).substr(colon + 1);
  const std::uint64_t port = text::parse_u64(digits).value_or(0);
  out.host = given.substr(0, colon == std::string::npos ? 0 : colon);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  unsigned char address[sizeof(in6_addr)];
  const bool literal = ::inet_pton(AF_INET, out.host.c_str(), address) == 1 ||
                       ::inet_pton(AF_INET6, out.host.c_str(), address) == 1;
  if (!literal || port == 0 || port > 65'535)
    return Error(Errc::kInvalid, "a cache's address is \"127.0.0.1:6379\" or \"unix:/path\", not " +
                                     text::escape_unprintable(given, 128));
  out.port = static_cast<int>(port);
  return out;
}

class HiredisClient final : public RedisClient {
 public:
  HiredisClient(redisContext* context, const Run& run)
      : run_(run), context_(context), own_(*context->reader->fn), functions_(own_) {
    functions_.createArray = bounded_array;
    context_->reader->fn = &functions_;
    context_->reader->privdata = &own_;
  }

  // Until the connection stands, or has failed, which the first request tells.
  Result<void> await_connection(const std::string& address) const {
    const auto patience = std::min(kConnectPatience, run_.left());
    pollfd socket{context_->fd, POLLOUT, 0};
    if (::poll(&socket, 1, static_cast<int>(patience.count())) != 0) return {};
    return Error(Errc::kTimeout, "no answer from " + address + " within " +
                                     text::format_duration_ms(patience.count()) +
                                     "; the executor's unit lets it reach this host's loopback"
                                     " only: name 127.0.0.1 or a unix socket");
  }
  Result<RedisReply> call(const std::vector<std::string>& arguments) override {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& one : arguments) {
      texts.push_back(one.data());
      sizes.push_back(one.size());
    }
    if (::redisAppendCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(),
                                 sizes.data()) != REDIS_OK)
      return failed();
    TRY_VOID(send());
    TRY(const Reply reply, receive());
    if (reply->type == REDIS_REPLY_ERROR)
      return refusal({reply->str, static_cast<std::size_t>(reply->len)});
    return value_of(*reply, 0);
  }

 private:
  Error failed() const {
    if (context_->err == REDIS_ERR_PROTOCOL)
      return Error(Errc::kCorrupt, "this is no Redis server, or it claims too much");
    if (context_->err == REDIS_ERR_OOM) return Error(Errc::kLimit, "a reply of redis is too large");
    return Error(Errc::kUnavailable,
                 "redis: " + text::escape_unprintable(context_->errstr, sizeof context_->errstr));
  }
  Result<void> wait(short events) const {
    TRY_VOID(run_.check());
    pollfd socket{context_->fd, events, 0};
    const auto left = std::clamp<std::int64_t>(run_.left().count(), 1, 60'000);
    const int got = ::poll(&socket, 1, static_cast<int>(left));
    if (got < 0 && errno != EINTR) return files::from_errno("cannot wait for redis", errno);
    return {};
  }
  Result<void> send() {
    for (int done = 0; done == 0;) {
      TRY_VOID(wait(POLLOUT));
      if (::redisBufferWrite(context_.get(), &done) != REDIS_OK) return failed();
    }
    return {};
  }
  Result<Reply> receive() {
    for (;;) {
      void* reply = nullptr;
      if (::redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) return failed();
      if (reply != nullptr) return Reply(static_cast<redisReply*>(reply));
      if (context_->reader->len > kMaxReplyBytes)
        return Error(Errc::kLimit, "a reply of redis is larger than 16 MiB");
      TRY_VOID(wait(POLLIN));
      if (::redisBufferRead(context_.get()) != REDIS_OK) return failed();
    }
  }

  const Run& run_;
  std::unique_ptr<redisContext, FreeContext> context_;
  redisReplyObjectFunctions own_;
  redisReplyObjectFunctions functions_;
};

}  // namespace

Result<std::unique_ptr<RedisClient>> RedisClient::connect(const std::string& address,
                                                          const Run& run) {
  TRY(const Address to, parse_address(address));
  redisContext* const context = to.path.empty() ? ::redisConnectNonBlock(to.host.c_str(), to.port)
                                                : ::redisConnectUnixNonBlock(to.path.c_str());
  if (context == nullptr) return Error(Errc::kLimit, "no memory for a connection to redis");
  const bool refused = context->err != 0;
  const std::string why = context->errstr;
  auto client = std::make_unique<HiredisClient>(context, run);
  if (refused) return Error(Errc::kUnavailable, "cannot connect to " + address + ": " + why);
  TRY_VOID(client->await_connection(address));
  return std::unique_ptr<RedisClient>(std::move(client));
}

}  // namespace observeai::agent::executor
