// Live log rows and events: the past from the store, then what is committed (follower.h).
#include <limits>

#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/queries.h"
#include "controlplane/api/to_json.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::int64_t kForeverMs = 253'402'300'800'000;
constexpr std::int64_t kDefaultTail = 100;
constexpr std::int64_t kNsPerMs = 1'000'000;

Reply stream_reply(std::shared_ptr<Follower> follower) {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.follower = std::move(follower);
  return reply;
}

Answer<std::shared_ptr<Follower>> follow(Call& call, Follower::Filter filter) {
  auto follower = call.world.live.follow(call.identity.tenant, std::move(filter));
  if (follower) return std::move(*follower);
  return Problem(503, Errc::kLimit, follower.error().message(),
                 "close one of them, then try again");
}

std::string head_frame(bool truncated) {
  if (!truncated) return ": past\n\n";
  return event_frame("truncated", "",
                     {{"message", "more was missed than can be sent again; the newest follow"}});
}

std::string live_frame(std::int64_t rows) {
  return event_frame("live", "", {{"rows", rows}});
}

}  // namespace

Answer<Reply> get_logs_follow(Call& call) {
  LogFilter filter;
  TRY(filter.since_ms, call.params.time("since", call.now_ms, call.now_ms - 24 * kHourMs));
  TRY(filter.grep, call.params.grep());
  TRY(filter.stream, call.params.stream());
  TRY(const auto tail, call.params.integer("tail", 0, kMaxRows, kDefaultTail));
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  filter.agent = resolved.agent;
  filter.target = resolved.target;
  // After a broken connection: what is newer than the newest row that was received.
  const auto resume_ns = text::parse_i64(call.request.last_event_id);

  TRY(auto follower, follow(call, filter));  // Before the past is read
  model::LogQuery query;
  query.agent = filter.agent;
  query.target = filter.target;
  query.range = {filter.since_ms, kForeverMs};
  if (resume_ns) query.range.since_ms = std::max(filter.since_ms, *resume_ns / kNsPerMs);
  query.grep = filter.grep;
  query.stream = filter.stream;
  query.limit = static_cast<std::size_t>(resume_ns ? kMaxRows : tail);
  const auto from_ns = query.range.since_ms * kNsPerMs;
  TRY(auto page, read_logs(call, std::move(query)));

  LogPast past;
  past.rows = std::move(page.rows);
  past.complete_after_ns =
      page.truncated && !past.rows.empty() ? past.rows.front().record.ts_ns : from_ns - 1;
  past.show_after_ns = resume_ns.value_or(std::numeric_limits<std::int64_t>::min());
  const auto shown = std::count_if(past.rows.begin(), past.rows.end(), [&](const auto& row) {
    return row.record.ts_ns > past.show_after_ns;
  });
  follower->begin(past, head_frame(resume_ns && page.truncated), live_frame(shown),
                  call.world.live.log_renderer());
  return stream_reply(std::move(follower));
}

Answer<Reply> get_events_follow(Call& call) {
  EventFilter filter;
  filter.kind_prefix = call.params.text("kind");
  TRY(const auto tail, call.params.integer("tail", 0, kMaxRows, kDefaultTail));
  TRY(const auto after,
      call.params.integer("after_id", 0, std::numeric_limits<std::int64_t>::max(), -1));
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  filter.agent = resolved.agent;
  filter.target = resolved.target;
  const auto resume = text::parse_u64(call.request.last_event_id);
  const bool resumes = resume || after >= 0;

  TRY(auto follower, follow(call, filter));  // Before the past is read
  model::EventQuery query;
  query.agent = filter.agent;
  query.target = filter.target;
  query.kind_prefix = filter.kind_prefix;
  query.range = {0, kForeverMs};
  query.limit = static_cast<std::size_t>(resumes ? kMaxRows : tail);
  query.after_id = resume.value_or(after >= 0 ? static_cast<std::uint64_t>(after) : 0);
  EventPast past;
  past.after_id = query.after_id;
  TRY(auto page, read_events(call, std::move(query)));
  past.rows = std::move(page.rows);
  past.cut = page.truncated;
  const auto shown = static_cast<std::int64_t>(past.rows.size());
  follower->begin(past, head_frame(resumes && page.truncated), live_frame(shown),
                  call.world.live.event_renderer());
  return stream_reply(std::move(follower));
}

}  // namespace observeai::controlplane::api
