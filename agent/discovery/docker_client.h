// GET requests to a Docker Engine (or Podman's Docker-compatible service) on its unix socket. Reads
// only. Runs on the loop; every request has a deadline, every body a limit.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "agent/discovery/docker_json.h"
#include "agent/runtime/async_clock.h"
#include "agent/runtime/loop.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Errors: kNotFound no socket (inspect: also no such container) · kUnavailable refused or hung up ·
// kTimeout no answer in time · kDenied no permission · kCorrupt an answer that is none · kLimit too
// long. Loop and clock must outlive the client, the client its coroutines.
class DockerClient {
 public:
  struct Options {
    std::string socket_path = "/var/run/docker.sock";
    std::chrono::milliseconds deadline{5'000};
    // An engine with 10,000 containers takes seconds to make its list.
    std::chrono::milliseconds list_deadline{30'000};
  };
  // Bodies beyond these are refused: a list of 10,000 containers is about 15 MiB, an inspection 10
  // KiB.
  static constexpr std::uint64_t kMaxListBytes = 64ULL << 20;
  static constexpr std::uint64_t kMaxInspectBytes = 4ULL << 20;
  static constexpr std::size_t kMaxElementBytes = 1U << 20;  // One list element or event line.

  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t failed = 0;
    std::uint64_t malformed = 0;  // List elements and events that could not be understood
    std::uint64_t oversized = 0;  // ... or were longer than kMaxElementBytes
  };

  DockerClient(Loop& loop, AsyncClock& clock, Options options, RedactText redact);

  // Asks for the engine's version and keeps the API version for the other requests.
  boost::asio::awaitable<Result<EngineVersion>> negotiate();
  boost::asio::awaitable<Result<void>> ping();

  using OnEntry = std::function<void(ListEntry)>;
  // All containers, stopped ones too, one by one as they arrive.
  boost::asio::awaitable<Result<void>> list(IsKnown is_known, OnEntry on_entry);
  boost::asio::awaitable<Result<ObservedContainer>> inspect(std::string id);

  using OnEvent = std::function<void(DockerEvent)>;
  // The event stream: `on_open` once it is established, then an event after the other, beginning
  // with those after `since_ns` that the engine still remembers (0: only new ones). Returns only
  // with an error, kUnavailable when the engine hung up.
  boost::asio::awaitable<Result<void>> events(std::int64_t since_ns, std::function<void()> on_open,
                                              OnEvent on_event);

  const Counters& counters() const { return counters_; }
  const Options& options() const { return options_; }

 private:
  using BodySink = std::function<Result<void>(std::string_view)>;
  struct Request;
  boost::asio::awaitable<Result<void>> get(Request request);
  boost::asio::awaitable<Result<void>> get_within(Request request, std::chrono::milliseconds limit);
  boost::asio::awaitable<Result<std::string>> get_text(std::string target, bool may_be_missing);

  Loop& loop_;
  AsyncClock& clock_;
  const Options options_;
  const RedactText redact_;
  std::string api_ = "1.41";
  Counters counters_;
};

}  // namespace observeai::agent
