// Events in order of arrival. Internal to controlplane/store.
#pragma once

#include <vector>

#include "controlplane/model/records.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Events kept at most, besides their age: about 300 MiB.
inline constexpr std::uint64_t kMaxEvents = 1'000'000;

// Inside a transaction of the caller. Returns the ids given, in order.
Result<std::vector<std::uint64_t>> insert_events(sql::Database& db, const AgentId& agent,
                                                 const std::vector<wire::Event>& events,
                                                 std::int64_t now_ms);
Result<std::vector<model::EventRow>> query_events(sql::Database& db,
                                                  const model::EventQuery& query);
// Deletes what arrived before `before_ms` and what is beyond the newest `most`; in small transactions.
Result<void> forget_events(StateDb& state, std::int64_t before_ms, std::uint64_t most = kMaxEvents);

// [since, until) with until = 0 for "no end": what an unset range means.
std::int64_t end_of(const model::TimeRange& range);

}  // namespace observeai::controlplane::store
