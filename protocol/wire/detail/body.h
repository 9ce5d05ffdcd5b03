// Bodies before compression: the seam between columns and codec, for tests and fuzzing. The rules
// of batch_codec.h hold except for the compressed size.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::wire::detail {

// Bytes with the ends of parts that are packed better each for itself; the last end is their size.
struct SectionedBody {
  std::string bytes;
  std::vector<std::size_t> ends;
};

Result<std::string> serialize_control(const ControlBatch& batch);
Result<std::string> serialize_samples(const SampleBatch& batch);
Result<SectionedBody> serialize_logs(const LogBatch& batch);
Result<ControlBatch> parse_control(std::string_view body);
Result<SampleBatch> parse_samples(std::string_view body);
Result<LogBatch> parse_logs(std::string_view body);

}  // namespace observeai::wire::detail
