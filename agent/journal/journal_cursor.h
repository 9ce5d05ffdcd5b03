// Which entry of the journal: what sd_journal_get_cursor() writes, as values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::agent {

//   s=<32 hex>;i=<hex>;b=<32 hex>;m=<hex>;t=<hex>;x=<hex>
struct JournalCursor {
  std::string chain;               // "s": files whose entries are numbered together
  std::uint64_t number = 0;        // "i": counts up by one in a chain, or in several that share
  std::string boot;                // "b"
  std::uint64_t monotonic_us = 0;  // "m": since that boot
  std::uint64_t realtime_us = 0;   // "t": since 1970
  std::uint64_t content_hash = 0;  // "x"
  bool operator==(const JournalCursor&) const = default;
};

// kCorrupt unless all six parts are there, once, in this order.
Result<JournalCursor> parse_cursor(std::string_view text);
std::string format_cursor(const JournalCursor& cursor);

// Of one entry. It is numbered anew when journald copies it from /run to /var.
bool is_same_entry(const JournalCursor& a, const JournalCursor& b);

// Where reading goes on.
struct JournalPosition {
  std::optional<JournalCursor> after;  // The last entry that is done
  std::uint64_t since_us = 0;  // While there is none: with the first entry of this time or later
  bool operator==(const JournalPosition&) const = default;
};

}  // namespace observeai::agent
