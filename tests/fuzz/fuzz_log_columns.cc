// Lines of logs into columns and back: any bytes, taken as lines, come back exactly.
#include <cstdlib>
#include <string_view>

#include "protocol/wire/detail/log_columns.h"

using namespace observeai::wire::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> lines;  // Each in memory of its own: reading beyond it is noticed
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  LogSkeletons skeletons(lines.size(), size);
  for (const auto& line : lines) skeletons.add(line);
  Sections sections;
  put_lines(skeletons, sections);

  SectionReader from{ColumnReader(sections.head), ColumnReader(sections.text),
                     ColumnReader(sections.numbers), ColumnReader(sections.packed)};
  auto reader = LogLineReader::create(lines.size(), from);
  if (!reader || !from.at_end()) std::abort();
  for (const auto& line : lines) {
    const auto again = reader->next();
    if (!again || *again != line) std::abort();
  }
  return 0;
}
