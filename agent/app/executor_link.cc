#include "agent/app/executor_link.h"

#include <utility>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent {
using executor::FrameKind;

namespace {

std::string digest_text(const wire::Digest& digest) {
  return std::string(text::as_text(digest));
}

}  // namespace

ExecutorLink::ExecutorLink(Loop& loop, AsyncClock& clock, Outbox& outbox, std::string socket,
                           std::function<void()> changed)
    : loop_(loop),
      clock_(clock),
      outbox_(outbox),
      client_(loop, clock, std::move(socket)),
      changed_(std::move(changed)),
      wake_(loop) {
  report_.state = "not asked yet";
}

boost::asio::awaitable<void> ExecutorLink::run() {
  for (;;) {
    co_await tell_spooled();
    co_await refresh();
    co_await collect_results();
    co_await tell_spooled();
    const std::chrono::seconds pause = answers_ ? kAskEvery : kRetryEvery;
    const auto until = clock_.steady_now() + pause;
    co_await wake_.wait_until(clock_, until);
  }
}

// ---- downwards -----------------------------------------------------------------------------------

void ExecutorLink::take_command(std::string envelope) {
  const auto name = wire::digest_of(envelope);
  if (under_way_.contains(name)) {
    ++counters_.repeated;
    return;
  }
  if (under_way_.size() >= kMaxUnderWay) {
    ++counters_.refused;
    return;
  }
  under_way_.insert(name);
  ++counters_.commands;
  // It may need the root metadata or the time that came before it.
  if (giving_ > 0) {
    waiting_.push_back(std::move(envelope));
  } else {
    start(std::move(envelope));
  }
}

void ExecutorLink::start(std::string envelope) {
  spawn(loop_, "command", carry(std::move(envelope)));
}

boost::asio::awaitable<void> ExecutorLink::carry(std::string envelope) {
  const auto name = wire::digest_of(envelope);
  executor::Frame request;
  request.kind = FrameKind::kCommand;
  request.body = std::move(envelope);
  auto result = co_await client_.ask(std::move(request), FrameKind::kResult, kCommandPatience);
  under_way_.erase(name);
  if (result) {
    take_result(std::move(*result));
  } else {
    // The control plane sends it again after the next hello, and the executor remembers how far it came.
    ++counters_.unanswered;
    log::warning(result.error().message());
  }
  wake_.notify();
}

void ExecutorLink::take_meta(const wire::Meta& meta) {
  giving_ += (meta.roots.empty() ? 0 : 1) + (meta.time.empty() ? 0 : 1);
  if (!meta.roots.empty()) {
    spawn(loop_, "root metadata", give(FrameKind::kRoots, executor::encode_list(meta.roots)));
  }
  if (!meta.time.empty()) spawn(loop_, "signed time", give(FrameKind::kTime, meta.time));
}

boost::asio::awaitable<void> ExecutorLink::give(FrameKind kind, std::string body) {
  executor::Frame request;
  request.kind = kind;
  request.body = std::move(body);
  const auto done = co_await client_.ask(std::move(request), FrameKind::kDone, kPatience);
  if (!done) log::warning(done.error().message());
  if (--giving_ == 0) {
    for (auto& envelope : std::exchange(waiting_, {})) start(std::move(envelope));
  }
  wake_.notify();
}

// ---- upwards -------------------------------------------------------------------------------------

boost::asio::awaitable<void> ExecutorLink::refresh() {
  executor::Frame request;
  request.kind = FrameKind::kStatus;
  const auto body = co_await client_.ask(std::move(request), FrameKind::kStatusReply, kPatience);
  take_status(body);
}

void ExecutorLink::take_status(const Result<std::string>& body) {
  const auto status =
      body ? executor::decode_status(*body) : Result<executor::Status>(body.error());
  wire::ExecutorReport report;
  if (status) {
    report.session = status->session;
    report.time_challenge = status->time_challenge;
    report.command_seq = status->command_seq;
    report.root_version = status->root_version;
    report.policy_hash = status->policy_hash;
    report.state = status->state;
  } else {
    const bool absent = status.error().code() == Errc::kNotFound;
    report.state = absent ? "missing" : "unreachable: " + status.error().message();
    report.state = text::escape_unprintable(report.state, wire::kMaxExecutorStateBytes);
  }
  answers_ = status.has_value();
  const bool is_news = !(report == report_);
  report_ = std::move(report);
  if (is_news) changed_();
}

boost::asio::awaitable<void> ExecutorLink::collect_results() {
  executor::Frame request;
  request.kind = FrameKind::kResults;
  const auto body = co_await client_.ask(std::move(request), FrameKind::kResultList, kPatience);
  if (!body) co_return;  // The status says why
  auto results = executor::decode_list(*body);
  if (!results) {
    log::warning("executor: " + results.error().message());
    co_return;
  }
  for (auto& result : *results) take_result(std::move(result));
}

void ExecutorLink::take_result(std::string envelope) {
  const auto name = wire::digest_of(envelope);
  if (given_.contains(name)) return;
  // The executor keeps what is not taken, and tells it again.
  if (const auto taken = outbox_.add_result(std::move(envelope)); !taken) {
    log::warning("executor: a result waits: " + taken.error().message());
    return;
  }
  ++counters_.results;
  given_.insert(name);
  ignore(outbox_.flush(), "a full spool is reported by the outbox; the result waits");
}

boost::asio::awaitable<void> ExecutorLink::tell_spooled() {
  std::string body;
  for (const auto& result : outbox_.take_spooled_results()) {
    body += digest_text(result);
    given_.erase(result);
  }
  if (body.empty()) co_return;
  executor::Frame request;
  request.kind = FrameKind::kSpooled;
  request.body = body;
  const auto done = co_await client_.ask(std::move(request), FrameKind::kDone, kPatience);
  // What it did not hear it tells again, and the control plane knows a result that comes twice.
  if (!done) log::warning(done.error().message());
}

}  // namespace observeai::agent
