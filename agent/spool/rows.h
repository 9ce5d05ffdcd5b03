// The spool's values <-> columns. Internal to agent/spool. Reading is kCorrupt for what no commit wrote.
#pragma once

#include <vector>

#include "protocol/sql/database.h"
#include "protocol/wire/signals.h"

namespace observeai::agent::rows {

Result<void> insert_series(sql::Database& database, const wire::SeriesDefinition& series);
Result<std::vector<wire::SeriesDefinition>> all_series(sql::Database& database);  // By id

Result<void> replace_ledger(sql::Database& database, const wire::LedgerEntry& entry);
Result<std::vector<wire::LedgerEntry>> all_ledger(sql::Database& database);

}  // namespace observeai::agent::rows
