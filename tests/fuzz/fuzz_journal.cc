// The journal's places and checkpoints, and what entries may claim about themselves.
#include <cstdlib>
#include <string_view>

#include "agent/journal/journal_route.h"
#include "agent/journal/journal_state.h"

using namespace observeai::agent;

namespace {

// What is read is written back, and read again as the same.
void check_state(std::string_view text) {
  const auto state = parse_journal_state(text);
  if (!state) return;
  const auto again = parse_journal_state(encode_journal_state(*state));
  if (!again || *again != *state) std::abort();
}

void check_cursor(std::string_view text) {
  const auto cursor = parse_cursor(text);
  if (!cursor) return;
  const auto again = parse_cursor(format_cursor(*cursor));
  if (!again || *again != *cursor) std::abort();
}

// Fields are taken from the input one after the other.
void check_route(std::string_view text) {
  JournalEntry entry;
  std::string* const fields[] = {&entry.unit, &entry.about_unit, &entry.identifier,
                                 &entry.transport, &entry.container_id};
  for (auto* field : fields) {
    const auto end = std::min(text.find('\n'), text.size());
    field->assign(text.substr(0, std::min(end, kMaxJournalField)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  entry.is_root = text.size() % 2 == 0;
  entry.pid = text.size() % 3 == 0 ? 1 : 7;
  const auto to = route(entry);
  // A checkpoint is a line of words: a target must not be able to forge one.
  if (to.target.empty() || to.target.find_first_of(" \n") != std::string::npos) std::abort();
  const auto pattern = template_of(to.unit);
  if (!pattern.empty() && !matches(pattern.substr(0, pattern.find('@') + 1) + "*", to.unit))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_state(text);
  check_cursor(text);
  check_route(text);
  const auto middle = text.find('\n');
  if (middle != std::string_view::npos) matches(text.substr(0, middle), text.substr(middle + 1));
  return 0;
}
