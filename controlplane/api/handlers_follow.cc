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
// Of what a store numbers its rows with.
constexpr std::uint64_t kMaxNumber = std::numeric_limits<std::int64_t>::max();

Reply stream_reply(std::shared_ptr<Follower> follower) {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.follower = std::move(follower);
  return reply;
}

Problem no_room(const Error& error) {
  return {503, Errc::kLimit, error.message(), "close one of them, then try again"};
}

Answer<std::shared_ptr<Follower>> follow(Call& call, Follower::Filter filter) {
  auto follower = call.world.live.follow(call.identity.tenant, std::move(filter));
  if (follower) return std::move(*follower);
  return no_room(follower.error());
}

std::string head_frame(bool truncated) {
  if (!truncated) return ": past\n\n";
  return event_frame("truncated", "",
                     {{"message", "more was missed than can be sent again; the newest follow"}});
}

std::string live_frame(std::size_t rows, const std::string& id) {
  return event_frame("live", id, {{"rows", rows}});
}

Problem bad_event_id() {
  return bad_parameter("Last-Event-ID", "is not an id of this stream",
                       "leave the header out to begin anew");
}

// After a broken connection: where the last row that was received stands.
Answer<std::optional<model::LogPosition>> resume_position(const std::string& last_event_id) {
  if (last_event_id.empty()) return std::optional<model::LogPosition>();
  const auto position = parse_position(last_event_id);
  if (position && position->partition_ms >= 0 && position->batch <= kMaxNumber) return position;
  return bad_event_id();
}

Answer<std::optional<std::uint64_t>> resume_id(const std::string& last_event_id) {
  if (last_event_id.empty()) return std::optional<std::uint64_t>();
  const auto id = text::parse_u64(last_event_id);
  if (!id || *id > kMaxNumber) return bad_event_id();
  return std::optional(*id);
}

}  // namespace

Answer<Reply> get_logs_follow(Call& call) {
  LogFilter filter;
  TRY(const auto since_ms, call.params.time("since", call.now_ms, call.now_ms - 24 * kHourMs));
  TRY(filter.grep, call.params.grep());
  TRY(filter.stream, call.params.stream());
  TRY(const auto tail, call.params.integer("tail", 0, kMaxRows, kDefaultTail));
  TRY(const auto resume, resume_position(call.request.last_event_id));
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  filter.agent = resolved.agent;
  filter.target = resolved.target;

  TRY(auto follower, follow(call, filter));  // Before the past is read
  model::LogQuery query;
  query.agent = filter.agent;
  query.target = filter.target;
  query.grep = filter.grep;
  query.stream = filter.stream;
  query.after = resume;
  query.limit = static_cast<std::size_t>(resume ? kMaxRows : tail);
  // What arrived later is new to the reader, however old it is: `since` bounds the past alone.
  query.range = {resume ? 0 : since_ms, kForeverMs};
  TRY(auto page, read_logs(call, std::move(query)));
  LogPast past;
  past.rows = std::move(page.rows);
  past.newest = page.newest;
  past.after = resume;
  const auto begun = follower->begin(
      past, head_frame(resume && page.truncated),
      [](std::size_t rows, const model::LogPosition& reached) {
        return live_frame(rows, format_position(reached));
      },
      call.world.live.log_renderer());
  if (!begun) return no_room(begun.error());
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
  TRY(const auto resume, resume_id(call.request.last_event_id));
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
  const auto begun =
      follower->begin(past, head_frame(resumes && page.truncated), live_frame(past.rows.size(), ""),
                      call.world.live.event_renderer());
  if (!begun) return no_room(begun.error());
  return stream_reply(std::move(follower));
}

}  // namespace observeai::controlplane::api
