#include "controlplane/api/queries.h"

namespace observeai::controlplane::api {
namespace {

bool is_older(const model::LogRow& a, const model::LogRow& b) {
  return a.record.ts_ns < b.record.ts_ns;
}
bool is_older(const model::EventRow& a, const model::EventRow& b) {
  return a.id < b.id;
}

std::size_t bytes_of(const model::LogRow& row) {
  return row.record.text.size() + 256;
}
std::size_t bytes_of(const model::EventRow& row) {
  std::size_t bytes = row.event.message.size() + 256;
  for (const auto& attribute : row.event.attributes)
    bytes += attribute.name.size() + attribute.value.size();
  return bytes;
}

// One query for all agents when the store holds this tenant alone, else one for each of its agents:
// a query has no tenant, and rows of others must neither show nor use up the limit.
template <class Row, class Query, class Read>
Answer<std::vector<Row>> read_mine(Call& call, Query query, Read read) {
  TRY(auto rows, read(query));
  if (!query.agent.empty()) return rows;
  const bool all_mine = std::all_of(
      rows.begin(), rows.end(), [&](const Row& row) { return call.directory.is_mine(row.agent); });
  if (all_mine) return rows;
  rows.clear();
  TRY(const auto* agents, call.directory.agents());
  for (const auto& [id, agent] : *agents) {
    query.agent = id;
    TRY(auto some, read(query));
    rows.insert(rows.end(), std::make_move_iterator(some.begin()),
                std::make_move_iterator(some.end()));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return is_older(a, b); });
  return rows;
}

// Keeps one end of `rows`, as many as fit in rows and bytes.
template <class Row>
Page<Row> cut(std::vector<Row> rows, std::size_t limit, bool newest) {
  Page<Row> page;
  std::size_t kept = 0;
  std::size_t bytes = 0;
  while (kept < rows.size() && kept < limit) {
    bytes += bytes_of(newest ? rows[rows.size() - 1 - kept] : rows[kept]);
    if (bytes > kMaxReplyBytes && kept > 0) break;
    ++kept;
  }
  page.truncated = kept < rows.size();
  const auto keep = static_cast<std::ptrdiff_t>(kept);
  if (newest)
    rows.erase(rows.begin(), rows.end() - keep);
  else
    rows.erase(rows.begin() + keep, rows.end());
  page.rows = std::move(rows);
  return page;
}

}  // namespace

Answer<LogPage> read_logs(Call& call, model::LogQuery query) {
  const std::size_t limit = query.limit;
  ++query.limit;  // One more says whether there are more
  TRY(auto rows, read_mine<model::LogRow>(call, query, [&](const model::LogQuery& q) {
        return call.world.telemetry.logs(q);
      }));
  LogPage page;
  for (const auto& row : rows) page.newest = std::max(page.newest, std::optional(row.position));
  static_cast<Page<model::LogRow>&>(page) = cut(std::move(rows), limit, query.newest);
  return page;
}

Answer<Page<model::EventRow>> read_events(Call& call, model::EventQuery query) {
  const std::size_t limit = query.limit;
  ++query.limit;
  TRY(auto rows, read_mine<model::EventRow>(call, query, [&](const model::EventQuery& q) {
        return call.world.telemetry.events(q);
      }));
  return cut(std::move(rows), limit, true);
}

}  // namespace observeai::controlplane::api
