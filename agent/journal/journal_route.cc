#include "agent/journal/journal_route.h"

#include <algorithm>

namespace observeai::agent {
namespace {

constexpr std::string_view kService = ".service";
constexpr std::size_t kContainerIdLength = 64;
constexpr std::uint8_t kPriorityError = 3;

bool is_container_id(std::string_view text) {
  return text.size() == kContainerIdLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

// systemd-run makes names that never come again: run-u12, run-r<hex>, run-p1-i2.
bool is_transient(std::string_view unit) {
  if (!unit.starts_with("run-") || unit.size() < 6) return false;
  const char kind = unit[4];
  const char next = unit[5];
  const bool is_hex = (next >= '0' && next <= '9') || (next >= 'a' && next <= 'f');
  return ((kind == 'u' || kind == 'p') && next >= '0' && next <= '9') || (kind == 'r' && is_hex);
}

// A service with a name that lasts.
bool is_lasting_service(std::string_view unit) {
  return unit.size() > kService.size() && unit.size() <= 255 && unit.ends_with(kService) &&
         std::all_of(unit.begin(), unit.end(), is_name_byte) && !is_transient(unit);
}

JournalRoute to_unit(const std::string& unit) {
  JournalRoute out;
  out.target = "unit/" + unit;
  out.unit = unit;
  out.selector = unit;
  return out;
}

}  // namespace

std::string source_of(const wire::Target& target) {
  return "log/" + target;
}

bool is_container(const wire::Target& target) {
  return target.starts_with("container/");
}

JournalRoute route(const JournalEntry& entry) {
  if (entry.is_root && is_container_id(entry.container_id)) {
    JournalRoute out;
    out.target = "container/" + entry.container_id;
    // How Docker writes which stream it was.
    out.stream =
        entry.priority == kPriorityError ? wire::LogStream::kStderr : wire::LogStream::kStdout;
    return out;
  }
  const bool is_manager = entry.is_root && entry.pid == 1;
  if (is_manager && is_lasting_service(entry.about_unit)) {
    auto out = to_unit(entry.about_unit);
    out.wants_prefix = true;
    return out;
  }
  const bool is_kernel = entry.transport == "kernel";
  if (!is_kernel && is_lasting_service(entry.unit)) {
    auto out = to_unit(entry.unit);
    out.wants_prefix = entry.transport == "audit";
    return out;
  }
  JournalRoute out;
  out.target = wire::kHostTarget;
  out.selector = is_kernel ? "kernel" : !entry.unit.empty() ? entry.unit : entry.identifier;
  out.wants_prefix = true;
  return out;
}

std::string line_prefix(const JournalEntry& entry) {
  if (entry.transport == "kernel") return "kernel: ";
  std::string out = entry.identifier.empty() ? "unknown" : entry.identifier;
  if (entry.pid != 0) out += "[" + std::to_string(entry.pid) + "]";
  return out + ": ";
}

std::string template_of(std::string_view unit) {
  const auto at = unit.find('@');
  const auto dot = unit.rfind('.');
  if (at == std::string_view::npos || dot == std::string_view::npos || dot <= at + 1) return "";
  return std::string(unit.substr(0, at + 1)) + std::string(unit.substr(dot));
}

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const auto& pattern) { return matches(pattern, text); });
}

}  // namespace observeai::agent
