#include "agent/app/oom_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/app/unreadable_logs.h"
#include "agent/runtime/co.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent {

namespace {

std::string mib(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

wire::Event oom_event(const OomKill& kill, const std::vector<ObservedContainer>& containers,
                      std::int64_t now_ms) {
  // When the log names no group, the victim may still be the main process of a container.
  const auto known = std::find_if(containers.begin(), containers.end(), [&](const auto& container) {
    return kill.owner.container_id.empty() && kill.task_memcg.empty()
               ? container.facts.pid == kill.pid
               : container.facts.id == kill.owner.container_id;
  });
  const std::string id = known != containers.end() ? known->facts.id : kill.owner.container_id;
  const std::string name = known != containers.end() ? known->facts.name : id.substr(0, 12);
  wire::Event event;
  event.ts_ms = now_ms;
  event.kind = "oom.kill";
  event.severity = wire::Severity::kError;
  event.target = !id.empty()                ? container_target(id)
                 : !kill.owner.unit.empty() ? "unit/" + kill.owner.unit
                                            : wire::kHostTarget;
  const std::string where = !id.empty()                ? " in container " + name
                            : !kill.owner.unit.empty() ? " of " + kill.owner.unit
                                                       : "";
  event.message = kill.comm + " (pid " + std::to_string(kill.pid) + ")" + where + " was killed: ";
  if (!kill.limit) {
    event.message += "the host is out of memory";
  } else {
    event.message += "the limit";
    if (kill.limit_bytes) event.message += " of " + mib(*kill.limit_bytes);
    if (kill.limit_memcg != kill.task_memcg) event.message += " of " + kill.limit_memcg;
    event.message += " is reached";
  }
  // Sorted by name
  event.attributes.push_back({"anon_bytes", std::to_string(kill.anon_bytes)});
  event.attributes.push_back({"comm", kill.comm});
  event.attributes.push_back({"constraint", kill.limit ? "limit" : "host"});
  if (kill.limit_bytes)
    event.attributes.push_back({"limit_bytes", std::to_string(*kill.limit_bytes)});
  if (!kill.limit_memcg.empty()) event.attributes.push_back({"limit_cgroup", kill.limit_memcg});
  event.attributes.push_back({"pid", std::to_string(kill.pid)});
  if (known != containers.end()) {
    event.attributes.push_back({"was_main", known->facts.pid == kill.pid ? "true" : "false"});
  }
  if (kill.usage_bytes)
    event.attributes.push_back({"usage_bytes", std::to_string(*kill.usage_bytes)});
  std::sort(event.attributes.begin(), event.attributes.end());
  return event;
}

wire::Event unattributed_oom_event(std::uint64_t kills, bool log_readable, std::int64_t now_ms) {
  wire::Event event;
  event.ts_ms = now_ms;
  event.kind = "oom.unattributed";
  event.target = wire::kHostTarget;
  event.severity = wire::Severity::kError;
  event.message = std::to_string(kills) + " processes were killed for lack of memory; " +
                  (log_readable ? "the kernel's log does not say which"
                                : "which, only the kernel's log says, and it may not be read");
  event.attributes = {{"kills", std::to_string(kills)}};
  return event;
}

OomLoop::OomLoop(Loop& loop, AsyncClock& clock, Outbox& outbox, Paths paths, const std::string& log,
                 const std::vector<ObservedContainer>& containers)
    : clock_(clock),
      outbox_(outbox),
      paths_(std::move(paths)),
      containers_(containers),
      log_(loop.context()) {
  const int fd = ::open(log.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  // Only what comes from now on.
  const bool usable = fd >= 0 && ::lseek(fd, 0, SEEK_END) >= 0;
  const int why = errno;
  boost::system::error_code failed;
  if (usable) log_.assign(fd, failed);
  if (usable && !failed) return;
  if (fd >= 0) ::close(fd);
  note_unreadable(log + ": " + (failed ? failed.message() : std::strerror(why)));
}

void OomLoop::note_unreadable(const std::string& problem) {
  const std::string message =
      "who is killed for lack of memory stays unknown: cannot read " + problem;
  log::warning(log::printable(message));
  outbox_.add_event(
      unreadable_logs(clock_.unix_ms(), wire::Severity::kWarning, message, {{"source", "kernel"}}));
}

boost::asio::awaitable<void> OomLoop::watch_log() {
  while (log_.is_open()) {
    const auto [error] =
        co_await log_.async_wait(boost::asio::posix::stream_descriptor::wait_read, nothrow);
    if (error) co_return;
    read_log();
  }
}

void OomLoop::read_log() {
  std::array<char, kMaxRecordBytes> record;
  for (;;) {
    const ssize_t got = ::read(log_.native_handle(), record.data(), record.size());
    // EPIPE: records were overwritten before they were read; the count shows what they held.
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN) return;
      const std::string why = got == 0 ? "it ended" : std::strerror(errno);
      log_.close();
      note_unreadable("the kernel's log any more: " + why);
      return;
    }
    const auto kill = parser_.feed(std::string_view(record.data(), static_cast<std::size_t>(got)));
    if (!kill) continue;
    balance_.seen();
    tell(oom_event(*kill, containers_, clock_.unix_ms()));
  }
}

boost::asio::awaitable<void> OomLoop::watch_count() {
  for (;;) {
    const auto vmstat = files::read(paths_.proc + "/vmstat", kMaxVmstatBytes);
    const auto count = vmstat ? oom_kills_of_vmstat(*vmstat) : std::nullopt;
    const std::uint64_t missing = count ? balance_.missing(*count) : 0;
    if (missing > 0) tell(unattributed_oom_event(missing, log_.is_open(), clock_.unix_ms()));
    co_await clock_.sleep_for(kCountEvery);
  }
}

void OomLoop::tell(wire::Event event) {
  log::warning(log::printable(event.message));
  outbox_.add_event(std::move(event));
  ignore(outbox_.flush(), "it waits for the next flush");
}

}  // namespace observeai::agent
