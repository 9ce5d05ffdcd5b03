#include "agent/logs/gzip_survey.h"

#include <fcntl.h>

#include <algorithm>

#include "agent/logs/fingerprint.h"

namespace observeai::agent {
namespace {

std::optional<std::string> read_exactly(const LogContent& content, std::uint64_t offset,
                                        std::uint64_t size) {
  std::string bytes(size, '\0');
  if (!content.read_exactly(offset, bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

GzipSurvey::GzipSurvey(const SeenFile& file)
    : key_(file.facts.key),
      content_(UniqueFd(::fcntl(file.content.fd(), F_DUPFD_CLOEXEC, 0)), file.path) {}

GzipSurvey::Asked* GzipSurvey::asked(const FilePrint& print) {
  const auto found = std::find_if(asked_.begin(), asked_.end(),
                                  [&](const Asked& asked) { return asked.print == print; });
  return found == asked_.end() ? nullptr : &*found;
}

void GzipSurvey::ask(const std::vector<FilePrint>& prints) {
  const auto is_unwanted = [&](const FilePrint& print) {
    return std::find(prints.begin(), prints.end(), print) == prints.end();
  };
  std::erase_if(asked_, [&](const Asked& asked) { return is_unwanted(asked.print); });
  std::erase_if(heads_, is_unwanted);
  std::erase_if(tails_, is_unwanted);
  for (const auto& print : prints) {
    if (asked(print) != nullptr) continue;
    asked_.push_back({print, {key_, 0, std::nullopt, std::nullopt}, {}});
    heads_.push_back(print);
  }
}

// Heads begin at the beginning and are short; then one way forwards through all ends.
bool GzipSurvey::advance(std::uint64_t max_bytes, std::uint64_t& decoded) {
  for (; !heads_.empty(); heads_.pop_back()) look_at_head(*asked(heads_.back()));
  while (!tails_.empty()) {
    const auto print = tails_.back();
    if (!content_.advance(print.extent, max_bytes, decoded)) return false;
    look_at_tail(*asked(print));
    tails_.pop_back();
  }
  content_.rest();
  return true;
}

// Of those with another head the rest need not be decoded.
void GzipSurvey::look_at_head(Asked& asked) {
  const auto& print = asked.print;
  const auto first = std::min<std::uint64_t>(print.head_bytes, kHeadBytes);
  const auto last = std::min<std::uint64_t>(print.head_bytes, kTailBytes);
  const auto begin = read_exactly(content_, 0, first);
  const auto end = read_exactly(content_, print.head_bytes - last, last);
  if (begin && end) asked.seen.head = fingerprint(*begin + *end);
  if (!asked.seen.head || *asked.seen.head != print.head) return;
  const auto place = std::find_if(tails_.begin(), tails_.end(), [&](const FilePrint& other) {
    return other.extent <= print.extent;
  });
  tails_.insert(place, print);
}

void GzipSurvey::look_at_tail(Asked& asked) const {
  const auto& print = asked.print;
  asked.seen.size = std::min(print.extent, content_.decoded());
  const bool whole = asked.seen.size == print.extent;
  const auto size = whole ? print.tail_bytes : std::min<std::uint64_t>(asked.seen.size, kTailBytes);
  asked.tail = read_exactly(content_, asked.seen.size - size, size).value_or("");
  if (whole) asked.seen.tail = fingerprint(asked.tail);
}

bool GzipSurvey::waits(const FilePrint& print) const {
  return std::find(heads_.begin(), heads_.end(), print) != heads_.end() ||
         std::find(tails_.begin(), tails_.end(), print) != tails_.end();
}

const Observation* GzipSurvey::of(const FilePrint& print) const {
  const auto found = std::find_if(asked_.begin(), asked_.end(),
                                  [&](const Asked& asked) { return asked.print == print; });
  return found == asked_.end() || waits(print) ? nullptr : &found->seen;
}

std::optional<std::string> GzipSurvey::tail_of(const FilePrint& print) const {
  if (of(print) == nullptr) return std::nullopt;
  const auto found = std::find_if(asked_.begin(), asked_.end(),
                                  [&](const Asked& asked) { return asked.print == print; });
  if (found->tail.empty()) return std::nullopt;
  return found->tail;
}

}  // namespace observeai::agent
