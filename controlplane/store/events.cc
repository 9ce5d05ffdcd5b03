#include "controlplane/store/events.h"

#include <limits>

#include "controlplane/store/ids.h"
#include "controlplane/store/series.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::int64_t kForgetChunk = 5'000;  // Rows of one transaction: commits wait behind it
constexpr std::size_t kMaxRows = 100'000;     // Of one answer, whatever the caller asks for

constexpr const char* kInsert =
    "INSERT INTO events(agent, received_ms, ts_ms, kind, target, severity, message, attributes)"
    " VALUES(?,?,?,?,?,?,?,?)";
#define EVENT_QUERY                                                                  \
  "SELECT id, agent, ts_ms, kind, target, severity, message, attributes FROM events" \
  " WHERE id>?1 AND ts_ms>=?2 AND ts_ms<?3 AND (?4='' OR target=?4)"                 \
  " AND substr(kind, 1, length(?5))=?5"
// The newest, and the oldest.
constexpr const char* kQuery[] = {EVENT_QUERY " ORDER BY id DESC LIMIT ?6",
                                  EVENT_QUERY " ORDER BY id LIMIT ?6"};
constexpr const char* kQueryAgent[] = {EVENT_QUERY " AND agent=?7 ORDER BY id DESC LIMIT ?6",
                                       EVENT_QUERY " AND agent=?7 ORDER BY id LIMIT ?6"};
constexpr const char* kForgetOld =
    "DELETE FROM events WHERE received_ms<? AND id IN (SELECT id FROM events ORDER BY id LIMIT ?)";
constexpr const char* kForgetMany =
    "DELETE FROM events WHERE id<=(SELECT max(id) FROM events)-? AND"
    " id IN (SELECT id FROM events ORDER BY id LIMIT ?)";

Result<model::EventRow> event_from(const sql::Statement& row) {
  model::EventRow out;
  out.id = row.unsigned_integer(0);
  TRY(out.agent, id_from<AgentId>(row.text(1)));
  out.event.ts_ms = row.integer(2);
  out.event.kind = row.string(3);
  out.event.target = row.string(4);
  out.event.severity = static_cast<wire::Severity>(row.integer(5));
  out.event.message = row.string(6);
  TRY(out.event.attributes, unpack_labels(row.blob(7)));
  return out;
}

template <class... Values>
Result<void> delete_in_chunks(StateDb& state, const char* sql, const Values&... values) {
  for (;;) {
    TRY(const auto deleted, state.write([&](sql::Database& db) -> Result<std::int64_t> {
      return db.run(sql, values..., kForgetChunk);
    }));
    if (deleted < kForgetChunk) return {};
  }
}

}  // namespace

std::int64_t end_of(const model::TimeRange& range) {
  return range.until_ms == 0 ? std::numeric_limits<std::int64_t>::max() : range.until_ms;
}

Result<std::vector<std::uint64_t>> insert_events(sql::Database& db, const AgentId& agent,
                                                 const std::vector<wire::Event>& events,
                                                 std::int64_t now_ms) {
  std::vector<std::uint64_t> ids;
  ids.reserve(events.size());
  for (const auto& event : events) {
    TRY_VOID(db.run(kInsert, agent.value(), now_ms, event.ts_ms, event.kind, event.target,
                    static_cast<int>(event.severity), event.message,
                    sql::Blob(pack_labels(event.attributes))));
    ids.push_back(static_cast<std::uint64_t>(db.last_insert_rowid()));
  }
  return ids;
}

Result<std::vector<model::EventRow>> query_events(sql::Database& db,
                                                  const model::EventQuery& query) {
  const std::size_t limit = std::min(query.limit, kMaxRows);
  const std::size_t end = query.newest ? 0 : 1;
  TRY(auto row, db.prepare(query.agent.empty() ? kQuery[end] : kQueryAgent[end]));
  row.bind(1, query.after_id);
  row.bind(2, query.range.since_ms);
  row.bind(3, end_of(query.range));
  row.bind(4, query.target);
  row.bind(5, query.kind_prefix);
  row.bind(6, static_cast<std::uint64_t>(limit));
  if (!query.agent.empty()) row.bind(7, query.agent.value());
  std::vector<model::EventRow> events;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) break;
    TRY(auto event, event_from(row));
    events.push_back(std::move(event));
  }
  if (query.newest) std::reverse(events.begin(), events.end());
  return events;
}

Result<void> forget_events(StateDb& state, std::int64_t before_ms, std::uint64_t most) {
  TRY_VOID(delete_in_chunks(state, kForgetOld, before_ms));
  return delete_in_chunks(state, kForgetMany, most);
}

}  // namespace observeai::controlplane::store
