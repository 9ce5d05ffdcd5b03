// The series dictionary of each epoch. Internal to controlplane/store.
#pragma once

#include <string>
#include <vector>

#include "controlplane/store/state_db.h"
#include "protocol/base/id.h"
#include "protocol/wire/signals.h"

namespace observeai::controlplane::store {

struct Definitions {
  std::size_t added = 0;
  std::vector<std::uint32_t> redefined;  // Ids that were defined before as something else
};
// Inside a transaction of the caller. The first definition stays, history must not change its name.
Result<Definitions> define_series(sql::Database& db, std::int64_t epoch_no,
                                  const std::vector<wire::SeriesDefinition>& series,
                                  std::int64_t now_ms);
// Of all epochs of the agent. Reads them all.
Result<std::size_t> count_series(sql::Database& db, const AgentId& agent);
struct DefinedSeries {
  std::uint32_t id = 0;
  std::int64_t used_ms = 0;
};
Result<std::vector<DefinedSeries>> defined_series(sql::Database& db, std::int64_t epoch_no);
// Ever defined, also when it is forgotten; 0: none.
Result<std::uint64_t> highest_series_id(sql::Database& db, std::int64_t epoch_no);

// Empty target or name: any. All of `labels` must be there; others are free. By id.
Result<std::vector<wire::SeriesDefinition>> match_series(sql::Database& db, std::int64_t epoch_no,
                                                         const wire::Target& target,
                                                         const std::string& name,
                                                         const wire::Labels& labels);

// Those with one of the names. Empty target: any. By id.
Result<std::vector<wire::SeriesDefinition>> series_named(sql::Database& db, std::int64_t epoch_no,
                                                         const wire::Target& target,
                                                         const std::vector<std::string>& names);

// Labels as one column, here and in events.
std::string pack_labels(const wire::Labels& labels);
Result<wire::Labels> unpack_labels(std::string_view bytes);

}  // namespace observeai::controlplane::store
