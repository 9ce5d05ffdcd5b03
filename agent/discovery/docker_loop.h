// Keeps up with one container engine: subscribes to its events, lists and inspects its containers,
// applies the events, and starts over when the engine goes away.
//
//   connecting --version, events, list--> watching --hangs up--> connecting (after a short
//   back-off)
//       |  missing: no socket · stopped: refused · hanging: no answer in time · error: anything
//       else
//       +--back-off 0.1 .. 2 s--> connecting
//
// While watching: every 10 s a ping, every 60 s a listing that is compared with what is known.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <string>

#include "agent/core/observed.h"
#include "agent/discovery/container_table.h"
#include "agent/discovery/docker_client.h"
#include "agent/runtime/co.h"
#include "protocol/base/backoff.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// Who wants to know. Called on the loop; must not block.
class DiscoverySink {
 public:
  virtual ~DiscoverySink() = default;
  // A container that came and went arrives as an upsert and, in a second call, as removed.
  virtual void containers_changed(wire::SectionUpdate<ObservedContainer> update) = 0;
  // container.start, container.exit, container.oom, container.restart with the engine's times;
  // docker.unavailable and docker.recovered with ours.
  virtual void event(wire::Event event) = 0;
  // HostFacts.docker: the engine's version, or "missing", "stopped", "hanging", "error: ...".
  virtual void docker_status(std::string status) = 0;
};

// Loop, clock, client and sink must outlive it; it must outlive the loop's last run.
class DockerWatcher {
 public:
  struct Options {
    std::chrono::milliseconds ping_every{10'000};
    std::chrono::milliseconds list_every{60'000};
    // Events that wait to be applied. More means that the engine restarts thousands of containers
    // at once: then they are dropped, counted, and a full listing takes their place.
    std::size_t max_queued_events = 4096;
  };
  struct Counters {
    std::uint64_t sessions = 0;  // Times the engine was reached
    std::uint64_t listings = 0;
    std::uint64_t inspections = 0;
    std::uint64_t inspections_failed = 0;
    std::uint64_t events = 0;
    std::uint64_t events_dropped = 0;
  };

  DockerWatcher(Loop& loop, AsyncClock& clock, DockerClient& client, DiscoverySink& sink,
                Options options);
  DockerWatcher(Loop& loop, AsyncClock& clock, DockerClient& client, DiscoverySink& sink)
      : DockerWatcher(loop, clock, client, sink, Options()) {}

  // For ever; spawn it once.
  boost::asio::awaitable<void> run();

  const Counters& counters() const { return counters_; }
  const std::string& status() const { return status_; }
  const ContainerTable& table() const { return table_; }

 private:
  boost::asio::awaitable<Result<void>> session();
  boost::asio::awaitable<Result<void>> follow_events();
  boost::asio::awaitable<Result<void>> keep_table(std::string version);
  boost::asio::awaitable<Result<void>> resync(bool everything);
  boost::asio::awaitable<Result<void>> inspect_and_report();
  boost::asio::awaitable<void> inspect_some();
  void queue_event(DockerEvent event);
  void apply_queued();
  void report_changes();
  void engine_is(const std::string& status);
  void engine_failed(const Error& error);

  AsyncClock& clock_;
  DockerClient& client_;
  DiscoverySink& sink_;
  const Options options_;
  ContainerTable table_;
  std::vector<std::string> batch_;  // Being inspected
  std::deque<DockerEvent> queued_;
  Notifier wake_;
  bool stream_open_ = false;
  bool overflowed_ = false;
  int timeouts_in_row_ = 0;  // Of inspections
  bool watching_ = false;    // This session has had its first listing
  std::int64_t last_event_ns_ = 0;
  std::string status_;
  bool unavailable_reported_ = false;
  Backoff backoff_;
  std::uint64_t random_;
  Counters counters_;
};

}  // namespace observeai::agent
