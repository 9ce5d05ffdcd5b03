// Checkpoints, ledger entries and series as rows of a segment's state. Internal to agent/spool.
// Reading is kCorrupt for what no commit wrote.
#pragma once

#include <string>
#include <string_view>

#include "agent/spool/segment.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

StateKey checkpoint_key(const std::string& source);
StateKey ledger_key(const std::string& source);
StateKey fact_key(const std::string& name);
StateKey series_key(std::uint32_t id);
StateKey forks_key();

std::string pack_ledger(const wire::LedgerEntry& entry);  // Without its source, which is the key
Result<wire::LedgerEntry> unpack_ledger(const std::string& source, std::string_view bytes);
std::string pack_series(const wire::SeriesDefinition& series);
Result<wire::SeriesDefinition> unpack_series(std::string_view bytes);

}  // namespace observeai::agent
