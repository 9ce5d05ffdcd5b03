// Log and event queries of one tenant, bounded in rows and bytes. Internal to controlplane/api.
#pragma once

#include "controlplane/api/route_table.h"

namespace observeai::controlplane::api {

// Of one reply, which stays well below what clients accept (64 MiB).
inline constexpr std::size_t kMaxReplyBytes = 24U << 20;

template <class Row>
struct Page {
  std::vector<Row> rows;   // Oldest first
  bool truncated = false;  // More match
};
struct LogPage : Page<model::LogRow> {
  std::optional<model::LogPosition> newest;  // By arrival, of the rows that were read, kept or not
};

// `query.agent` empty = every agent of the call's tenant.
Answer<LogPage> read_logs(Call& call, model::LogQuery query);
Answer<Page<model::EventRow>> read_events(Call& call, model::EventQuery query);

}  // namespace observeai::controlplane::api
