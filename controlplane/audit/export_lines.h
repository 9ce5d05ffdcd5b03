// The audit log as JSON lines: what `observeai audit export` writes and anybody can check without us.
// docs/formats/audit.md describes it. Pure.
//
//   {"format":"observeai.audit.v1","after_seq":0,"hash":"00..."}       where it begins
//   {"root":"<base64url>"}                                             root metadata as signed, ascending
//   {"seq":1,"ts_ms":...,"actor":"..","action":"..","object":"..","detail":"..","hash":".."}
//   {"head":{"seq":1,"hash":"..","unix_ms":...},"envelope":"<base64url>"}   behind the entry it signs
//   {"next_after_seq":1000}                                            there is more; ends a page
//
// Pages put behind each other are an export too. A text that is not UTF-8 (of a version that stored such)
// stands under its name and "_base64".
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::audit {

inline constexpr std::string_view kExportFormat = "observeai.audit.v1";
inline constexpr std::size_t kMaxLineBytes = 4U << 20;

struct ExportBegin {
  model::AuditPoint after;
};
struct ExportRoot {
  std::string envelope;
};
struct ExportMore {
  std::uint64_t after_seq = 0;
};
using ExportLine =
    std::variant<ExportBegin, ExportRoot, model::AuditEntry, model::SignedAuditHead, ExportMore>;

// With the line's end.
std::string format_line(const ExportLine& line);
// kCorrupt: not one of the lines above, with every member and no other; kLimit. Checks no hash and no
// signature, but that a head says what its envelope says.
Result<ExportLine> parse_line(std::string_view line);

}  // namespace observeai::controlplane::audit
