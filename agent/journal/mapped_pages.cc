#include "agent/journal/mapped_pages.h"

#include <sys/mman.h>

#include <charconv>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxMapsBytes = 8U << 20;

std::optional<std::uintptr_t> parse_address(std::string_view text) {
  std::uintptr_t address = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, address, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return address;
}

// "7f0000000000-7f0000800000 r--s 00000000 08:01 12345   /var/log/journal/<id>/system.journal"
void release(std::string_view line) {
  // Shared and never written by us: nothing can be lost with the pages.
  if (line.find(" r--s ") == std::string_view::npos) return;
  if (line.find(".journal") == std::string_view::npos) return;
  const auto range = text::split(line.substr(0, line.find(' ')), '-');
  const auto begin = parse_address(range.front());
  const auto end = parse_address(range.back());
  if (range.size() != 2 || !begin || !end || *end <= *begin) return;
  ::madvise(reinterpret_cast<void*>(*begin), *end - *begin, MADV_DONTNEED);
}

}  // namespace

void release_journal_pages() {
  const auto maps = files::read("/proc/self/maps", kMaxMapsBytes);
  if (!maps) return;
  for (const auto line : text::split(*maps, '\n')) release(line);
}

}  // namespace observeai::agent
