// Log records as batches of lane 2.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// By source ("log/<target>"), in the order of their names.
std::map<std::string, SourceCount> count_by_source(const std::vector<wire::LogRecord>& records);

// Appends the records in their order, in as many batches as the codec's bound asks for. A line that no
// message can hold even alone is cut and marked; `refuse` hears of a record that none can hold all the
// same. An error is none of the records' fault. Leaves records behind for their memory's sake.
using RefuseRecord = std::function<void(const wire::LogRecord& record, const Error& why)>;
Result<void> add_log_batches(std::vector<wire::LogRecord>& records, const RefuseRecord& refuse,
                             std::vector<PendingBatch>& out);

}  // namespace observeai::agent
