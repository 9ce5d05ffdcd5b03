#include "agent/discovery/docker_loop.h"

#include <random>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kFirstBackoff = 100ms;
constexpr auto kLongestBackoff = 2'000ms;     // A restarted engine is found again within 3 s.
constexpr std::size_t kInspectionBatch = 64;  // Then they are reported, so that none waits for all.

// One container that cannot be inspected is that container's trouble; so many are the engine's.
constexpr int kHangingEngineTimeouts = 4;

std::string status_of(const Error& error) {
  switch (error.code()) {
    case Errc::kNotFound:
      return "missing";
    case Errc::kUnavailable:
      return "stopped";
    case Errc::kTimeout:
      return "hanging";
    default:
      return "error: " + text::escape_unprintable(error.message(), 200);
  }
}

}  // namespace

DockerWatcher::DockerWatcher(Loop& loop, AsyncClock& clock, DockerClient& client,
                             DiscoverySink& sink, Options options)
    : clock_(clock),
      client_(client),
      sink_(sink),
      options_(options),
      wake_(loop),
      backoff_(kFirstBackoff, kLongestBackoff),
      random_(std::random_device()()) {}

asio::awaitable<void> DockerWatcher::run() {
  for (;;) {
    watching_ = false;
    stream_open_ = false;
    const auto ended = co_await session();
    apply_queued();  // The next session asks only for events after these.
    const Error& error = ended.error();
    // A hang-up alone says little: the next attempt tells whether the engine is gone or was
    // restarted.
    if (!watching_ || error.code() != Errc::kUnavailable) engine_failed(error);
    if (watching_) backoff_.reset();
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    co_await clock_.sleep_for(backoff_.next(random_ >> 16));
  }
}

// From the first request to the error that ends it.
asio::awaitable<Result<void>> DockerWatcher::session() {
  using namespace asio::experimental::awaitable_operators;
  auto version = co_await client_.negotiate();
  if (!version) co_return std::move(version).error();
  ++counters_.sessions;
  // The stream first: what starts during the listing must not be missed.
  auto ended = co_await (follow_events() || keep_table(version->version));
  co_return ended.index() == 0 ? std::get<0>(std::move(ended)) : std::get<1>(std::move(ended));
}

asio::awaitable<Result<void>> DockerWatcher::follow_events() {
  std::function<void()> on_open = [this] {
    stream_open_ = true;
    wake_.notify();
  };
  DockerClient::OnEvent on_event = [this](DockerEvent event) { queue_event(std::move(event)); };
  const std::int64_t since_ns = last_event_ns_ > 0 ? last_event_ns_ + 1 : 0;
  co_return co_await client_.events(since_ns, std::move(on_open), std::move(on_event));
}

void DockerWatcher::queue_event(DockerEvent event) {
  ++counters_.events;
  last_event_ns_ = std::max(last_event_ns_, event.ts_ns);
  if (queued_.size() >= options_.max_queued_events) {
    ++counters_.events_dropped;
    overflowed_ = true;
  } else {
    queued_.push_back(std::move(event));
  }
  wake_.notify();
}

asio::awaitable<Result<void>> DockerWatcher::keep_table(std::string version) {
  while (!stream_open_) co_await wake_.wait_until(clock_, SteadyTime::max());
  auto synced = co_await resync(true);
  if (!synced) co_return std::move(synced).error();
  watching_ = true;
  engine_is(version);
  SteadyTime next_list = clock_.steady_now() + options_.list_every;
  SteadyTime next_ping = clock_.steady_now() + options_.ping_every;
  for (;;) {
    co_await wake_.wait_until(clock_, std::min(next_list, next_ping));
    apply_queued();
    CO_TRY_VOID(co_await inspect_and_report());
    const SteadyTime now = clock_.steady_now();
    if (overflowed_ || now >= next_list) {
      const bool everything = std::exchange(overflowed_, false);
      synced = co_await resync(everything);
      if (!synced) co_return std::move(synced).error();
      next_list = clock_.steady_now() + options_.list_every;
    } else if (now >= next_ping) {
      auto alive = co_await client_.ping();
      if (!alive) co_return std::move(alive).error();
    } else {
      continue;
    }
    next_ping = clock_.steady_now() + options_.ping_every;
  }
}

asio::awaitable<Result<void>> DockerWatcher::resync(bool everything) {
  table_.begin_list(everything);
  IsKnown is_known = [this](const std::string& id, std::uint64_t fingerprint) {
    return table_.is_known(id, fingerprint);
  };
  DockerClient::OnEntry on_entry = [this](ListEntry entry) { table_.listed(std::move(entry)); };
  CO_TRY_VOID(co_await client_.list(std::move(is_known), std::move(on_entry)));
  ++counters_.listings;
  apply_queued();  // Before what is missing is given up: the stream may tell how it ended.
  table_.end_list(to_unix_ns(clock_.wall_now()));
  co_return co_await inspect_and_report();
}

void DockerWatcher::apply_queued() {
  for (; !queued_.empty(); queued_.pop_front()) table_.apply(queued_.front());
}

asio::awaitable<Result<void>> DockerWatcher::inspect_and_report() {
  using namespace asio::experimental::awaitable_operators;
  while (table_.waits_for_inspection()) {
    batch_ = table_.take_inspections(kInspectionBatch);
    // Four at a time; more would only queue inside the engine.
    co_await (inspect_some() && inspect_some() && inspect_some() && inspect_some());
    report_changes();
    if (timeouts_in_row_ >= kHangingEngineTimeouts) {
      timeouts_in_row_ = 0;
      co_return Error(Errc::kTimeout, "inspections get no answer");
    }
    apply_queued();
  }
  report_changes();
  co_return Result<void>();
}

asio::awaitable<void> DockerWatcher::inspect_some() {
  while (!batch_.empty() && timeouts_in_row_ < kHangingEngineTimeouts) {
    const std::string id = std::move(batch_.back());
    batch_.pop_back();
    ++counters_.inspections;
    auto container = co_await client_.inspect(id);
    if (container) {
      timeouts_in_row_ = 0;
      table_.inspected(std::move(*container), to_unix_ns(clock_.wall_now()));
      continue;
    }
    ++counters_.inspections_failed;
    const bool hung = container.error().code() == Errc::kTimeout;
    if (hung) ++timeouts_in_row_;
    table_.inspect_failed(id, to_unix_ns(clock_.wall_now()), hung);
  }
}

void DockerWatcher::report_changes() {
  for (auto changes = table_.take_changes(); !changes.empty(); changes = table_.take_changes()) {
    if (!changes.containers.empty()) sink_.containers_changed(std::move(changes.containers));
    for (auto& event : changes.events) sink_.event(std::move(event));
  }
}

void DockerWatcher::engine_is(const std::string& status) {
  if (std::exchange(status_, status) != status) sink_.docker_status(status);
  if (!std::exchange(unavailable_reported_, false)) return;
  wire::Event event;
  event.ts_ms = clock_.unix_ms();
  event.kind = "docker.recovered";
  event.target = wire::kHostTarget;
  event.message = "the container engine answers again (version " + status + ")";
  log::info(event.message);
  sink_.event(std::move(event));
}

void DockerWatcher::engine_failed(const Error& error) {
  const std::string before = status_;
  const std::string status = status_of(error);
  if (before == status) return;
  status_ = status;
  sink_.docker_status(status);
  // A host without an engine is no fault.
  const bool never_there = before.empty() && status == "missing";
  if (never_there || unavailable_reported_) return;
  unavailable_reported_ = true;
  wire::Event event;
  event.ts_ms = clock_.unix_ms();
  event.kind = "docker.unavailable";
  event.target = wire::kHostTarget;
  event.severity = wire::Severity::kWarning;
  event.message = "the container engine at " + client_.options().socket_path +
                  " does not answer (" + status +
                  "); its containers are shown as last seen, retrying every 2 s";
  event.attributes = {{"reason", status}};
  log::warning(event.message + " (" + log::printable(error.message()) + ")");
  sink_.event(std::move(event));
}

}  // namespace observeai::agent
