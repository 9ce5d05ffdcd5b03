// What the spool knows of a batch apart from its body: enough for the header on the wire, to notice a
// damaged body, and to say exactly what is gone with it. Internal to agent/spool.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

struct BatchHead {
  std::uint32_t n = 0;
  std::int64_t first_ts_ms = 0;
  std::int64_t last_ts_ms = 0;
  std::uint32_t size = 0;
  std::uint64_t checksum = 0;  // Of the body
  std::vector<SourceCount> counts;
};

BatchHead head_of(const PendingBatch& batch);
std::string pack_head(const BatchHead& head);
// kCorrupt: not what pack_head() made.
Result<BatchHead> unpack_head(std::string_view bytes);
bool matches(const BatchHead& head, std::string_view body);

// A value with its checksum behind it, for rows whose page may be damaged.
std::string with_checksum(std::string value);
Result<std::string> without_checksum(std::string_view bytes);

}  // namespace observeai::agent
