// An exported audit log. A line that is read is written as it was read; a whole file that verifies says
// nothing that its lines do not.
#include <cstdlib>
#include <string>
#include <string_view>

#include "controlplane/audit/export_verifier.h"
#include "protocol/base/text.h"

using namespace observeai;
namespace audit = observeai::controlplane::audit;

namespace {

void check_line(std::string_view line) {
  const auto read = audit::parse_line(line);
  if (!read) return;
  const std::string written = audit::format_line(*read);
  const auto again = audit::parse_line(written);
  if (!again || again->index() != read->index()) std::abort();
  if (audit::format_line(*again) != written) std::abort();
}

void check_file(const std::vector<std::string_view>& lines) {
  audit::ExportVerifier verifier;
  std::uint64_t entries = 0;
  for (const auto line : lines) {
    if (!verifier.add(line)) return;
    const auto read = audit::parse_line(line);
    if (read && std::holds_alternative<model::AuditEntry>(*read)) ++entries;
  }
  const auto report = verifier.finish();
  if (!report) return;
  if (report->entries != entries) std::abort();
  if (report->end.seq != report->after_seq + entries) std::abort();
  if (report->newest_head && report->newest_head->seq > report->end.seq) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = text::split(text, '\n');
  for (const auto line : lines) check_line(line);
  check_file(lines);
  return 0;
}
