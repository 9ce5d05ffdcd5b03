// Tells of every process that the kernel killed for lack of memory: who, in which container, whose limit.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "agent/core/observed.h"
#include "agent/discovery/oom_log.h"
#include "agent/runtime/async_clock.h"
#include "agent/runtime/paths.h"

namespace observeai::agent {

// "oom.kill" about the container, the unit or the host; "oom.unattributed" for kills that only the
// kernel's count knows. Pure.
wire::Event oom_event(const OomKill& kill, const std::vector<ObservedContainer>& containers,
                      std::int64_t now_ms);
wire::Event unattributed_oom_event(std::uint64_t kills, bool log_readable, std::int64_t now_ms);

// Loop thread only. Everything given must outlive it.
class OomLoop {
 public:
  static constexpr std::chrono::milliseconds kCountEvery{500};

  // `log`: /dev/kmsg. Without leave to read it only the count is watched, which an
  // event (logs.unreadable) says.
  OomLoop(Loop& loop, AsyncClock& clock, Outbox& outbox, Paths paths, const std::string& log,
          const std::vector<ObservedContainer>& containers);

  // For ever, or, watch_log(), when the log cannot be read; spawn both once.
  boost::asio::awaitable<void> watch_log();
  boost::asio::awaitable<void> watch_count();

 private:
  static constexpr std::size_t kMaxRecordBytes = 8192;  // As the kernel's
  static constexpr std::size_t kMaxVmstatBytes = 64 << 10;

  void read_log();
  void note_unreadable(const std::string& problem);
  void tell(wire::Event event);

  AsyncClock& clock_;
  Outbox& outbox_;
  const Paths paths_;
  const std::vector<ObservedContainer>& containers_;
  boost::asio::posix::stream_descriptor log_;
  OomLog parser_;
  OomBalance balance_;
};

}  // namespace observeai::agent
