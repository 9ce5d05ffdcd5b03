// What the agents say they read, spooled and dropped. Internal to controlplane/store.
#pragma once

#include <vector>

#include "controlplane/model/records.h"
#include "controlplane/store/epoch_book.h"
#include "controlplane/store/state_db.h"
#include "protocol/wire/messages.h"

namespace observeai::controlplane::store {

// Under which name the ledger counts the log records of a target, and all samples.
std::string log_source(const wire::Target& target);
inline constexpr const char* kMetricsSource = "metrics";

// Inside a transaction of the caller. The entry with the highest as_of_seq stays.
Result<void> upsert_ledger(sql::Database& db, std::int64_t epoch_no, const wire::LedgerEntry& entry,
                           std::int64_t now_ms);

// The records of a batch without a chunk, lost or (kMovedReason) stored elsewhere.
void count_account(EpochBook& book, EpochState& state, wire::Lane lane, std::uint64_t seq,
                   const wire::LossNotice& account) REQUIRES(book.mutex);

// What a batch that does not decode held, as far as its header tells.
wire::LossNotice unreadable_notice(const wire::BatchHeader& header);

// The newest epoch of each agent, compared with what is stored and lost of it. A gap is only told when
// every batch up to as_of_seq is settled. Losses of sources that the agent does not report are rows too.
Result<std::vector<model::LedgerRow>> query_ledger(sql::Database& db, EpochBook& book,
                                                   const AgentId& agent);

inline constexpr const char* kGapAlert = "ledger.gap";
// A gap of an epoch that is over, which query_ledger() does not show: told once for each epoch and lane.
inline constexpr const char* kEarlierGapAlert = "ledger.earlier_gap";
// Makes the open kGapAlert alerts (one for each agent and lane) say what query_ledger() says now, and tells
// the gaps of earlier epochs.
Result<void> alert_gaps(StateDb& state, EpochBook& book, std::int64_t now_ms);

}  // namespace observeai::controlplane::store
