// What the spool holds, in the form in which copies of a spool are told apart.
#pragma once

#include "agent/spool/spool.h"

namespace observeai::agent {

// Tags of pending batches for a hello, as many as can be had from about kTagBytes of each lane: reading
// all of a large spool for it would cost more than it tells.
inline constexpr std::size_t kTagBytes = 512U << 10;
Result<std::array<wire::PendingTags, wire::kLaneCount>> pending_tags(Spool& spool);

// True when the spool keeps other content under this number, or has not given the number out: it is a
// copy of the spool that wrote it.
Result<bool> contradicts(Spool& spool, wire::Lane lane, const wire::CommittedContent& committed);

}  // namespace observeai::agent
