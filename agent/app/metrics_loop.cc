#include "agent/app/metrics_loop.h"

#include "protocol/base/log.h"

namespace observeai::agent {

std::vector<ProcessUsage> process_usage(const std::vector<GroupUsage>& groups) {
  std::vector<ProcessUsage> out;
  out.reserve(groups.size());
  for (const auto& group : groups) {
    ProcessUsage usage;
    usage.key = group.key;
    usage.cpu_seconds = group.cpu_seconds;
    usage.rss_bytes = group.rss_bytes;
    usage.threads = group.threads;
    usage.open_fds = group.open_fds;
    usage.worst_fds = group.worst_fds;
    usage.worst_fd_limit = group.worst_fd_limit;
    usage.started_ms = group.started_ms;
    usage.count = group.count;
    out.push_back(std::move(usage));
  }
  return out;
}

MetricsLoop::MetricsLoop(AsyncClock& clock, BlockingPool& pool, Outbox& outbox, Spool& spool,
                         std::shared_ptr<MetricsEngine> engine, std::chrono::milliseconds interval,
                         std::function<ScrapeSubjects()> subjects, const Shedding& shedding)
    : clock_(clock),
      pool_(pool),
      outbox_(outbox),
      spool_(spool),
      engine_(std::move(engine)),
      interval_(interval),
      subjects_(std::move(subjects)),
      shedding_(shedding) {}

boost::asio::awaitable<void> MetricsLoop::run() {
  due_ = clock_.steady_now();
  for (;;) {
    co_await scrape();
    // A late scrape does not make the next ones come in a bunch.
    due_ = std::max(due_ + interval(), clock_.steady_now());
    co_await clock_.sleep_until(due_);
  }
}

bool MetricsLoop::is_late() const {
  return clock_.steady_now() > due_ + kPatience;
}

boost::asio::awaitable<void> MetricsLoop::scrape() {
  auto given = subjects_();
  if (!shedding_.process_detail) given.processes.clear();
  const auto subjects = std::make_shared<const ScrapeSubjects>(std::move(given));
  const std::int64_t now_ms = clock_.unix_ms();
  std::function<Result<ScrapeResult>()> work = [engine = engine_, subjects,
                                                now_ms]() -> Result<ScrapeResult> {
    ScrapeInput input;
    input.now_ms = now_ms;
    input.containers = subjects->containers;
    input.processes = subjects->processes;
    input.self = subjects->self;
    input.log_lines = subjects->log_lines;
    return engine->scrape(input);
  };
  auto result = co_await pool_.run<ScrapeResult>("metrics", kPatience, std::move(work));
  if (!result) {
    ++missed_;
    if (!told_) log::warning("metrics: " + result.error().message());
    told_ = true;
    co_return;
  }
  told_ = false;
  ++finished_;
  samples_left_out_ = result->refused;
  report_problems(result->collectors);
  commit(std::move(*result));
}

// A source that this machine does not have is no problem.
void MetricsLoop::report_problems(const std::vector<CollectorReport>& reports) {
  for (const auto& report : reports) {
    std::string now;
    if (report.error && report.error->code() != Errc::kNotFound) now = report.error->message();
    auto& last = problems_[std::string(report.name)];
    if (now == last) continue;
    last = now;
    log::warning("metrics of " + std::string(report.name) + ": " +
                 (now.empty() ? "complete again" : log::printable(now)));
  }
}

void MetricsLoop::commit(ScrapeResult result) {
  const auto committed = outbox_.commit_scrape(std::move(result.scrape), result.new_series);
  if (!committed) {
    log::debug("scrape not stored: " + committed.error().message());
    return;
  }
  // Whatever becomes of the next step, this scrape is stored: the engine is not to give it again.
  for (auto& event : result.events) outbox_.add_event(std::move(event));
  engine_->committed();
  to_forget_.insert(to_forget_.end(), result.forgotten.begin(), result.forgotten.end());
  const auto forgotten = spool_.forget_series(to_forget_);
  if (forgotten)
    to_forget_.clear();
  else
    log::debug("series not forgotten yet: " + forgotten.error().message());
}

}  // namespace observeai::agent
