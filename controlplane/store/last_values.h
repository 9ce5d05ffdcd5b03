// The newest value of each series, for lists; and which series are defined. Internal to controlplane/store.
#pragma once

#include "controlplane/store/epoch_book.h"
#include "controlplane/store/partitions.h"

namespace observeai::controlplane::store {

// Fills EpochState::values once: every defined series, with the newest value found in the newest chunks
// of the two newest partitions. Afterwards commits keep it. kNotFound: the epoch is forgotten. Thread-safe.
Result<void> load_values(StateDb& state, EpochBook& book, Partitions& partitions,
                         std::int64_t epoch_no);

// `day` is that of arrival.
void take_values(EpochState& epoch, const wire::SampleBatch& samples, std::uint32_t day);

}  // namespace observeai::controlplane::store
