// What lane 0 remembers of content and losses, in state.db. Internal to controlplane/store.
#pragma once

#include <optional>

#include "controlplane/store/epoch_book.h"
#include "protocol/sql/database.h"

namespace observeai::controlplane::store {

// nullopt: never there, lost, or so old that its hash is forgotten.
Result<std::optional<ContentHash>> control_hash(sql::Database& db, std::int64_t epoch_no,
                                                std::uint64_t seq);

// Inside the caller's transaction: adds to the row of the source.
Result<void> add_control_loss(sql::Database& db, std::int64_t epoch_no, const SourceKey& key,
                              const std::string& reason, const wire::LossNotice::Source& source);

}  // namespace observeai::controlplane::store
