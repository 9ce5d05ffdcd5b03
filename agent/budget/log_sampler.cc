#include "agent/budget/log_sampler.h"

#include <algorithm>
#include <cctype>

namespace observeai::agent {

namespace {

constexpr std::size_t kLevelWithin = 96;   // After a date, a host, a thread's name
constexpr std::size_t kFieldWithin = 512;  // JSON loggers put the level anywhere
constexpr std::size_t kTroubleWithin = 2048;

constexpr std::string_view kVerbose[] = {"trace", "debug", "info", "notice"};
constexpr std::string_view kTrouble[] = {"warn",    "error", "err",       "fatal",     "critical",
                                         "panic",   "alert", "emergency", "exception", "failed",
                                         "failure", "oom",   "killed"};
constexpr std::string_view kLevelFields[] = {"level", "severity", "lvl", "loglevel"};

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool same_word(std::string_view word, std::string_view lower) {
  return word.size() == lower.size() &&
         std::equal(word.begin(), word.end(), lower.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         });
}

template <class Words>
bool is_one_of(std::string_view word, const Words& words) {
  return std::any_of(std::begin(words), std::end(words),
                     [word](std::string_view lower) { return same_word(word, lower); });
}

std::string_view take_word(std::string_view& text) {
  while (!text.empty() && !is_letter(text.front())) text.remove_prefix(1);
  const auto end = std::find_if_not(text.begin(), text.end(), is_letter);
  const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(word.size());
  return word;
}

bool names_trouble(std::string_view text) {
  text = text.substr(0, kTroubleWithin);
  while (!text.empty()) {
    const std::string_view word = take_word(text);
    if (is_one_of(word, kTrouble) || same_word(word, "warning") || same_word(word, "errors")) {
      return true;
    }
  }
  return false;
}

// "I0102 15:04:05" of Kubernetes' klog
bool is_klog_info(std::string_view line) {
  return line.size() > 6 && line[0] == 'I' && line[5] == ' ' &&
         std::all_of(line.begin() + 1, line.begin() + 5,
                     [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_verbose(std::string_view line) {
  if (line.empty() || line.front() == ' ' || line.front() == '\t') return false;
  bool says_so = is_klog_info(line);
  std::string_view rest = line.substr(0, kFieldWithin);
  bool after_level_field = false;
  while (!says_so && !rest.empty()) {
    const std::string_view word = take_word(rest);
    const std::size_t at = static_cast<std::size_t>(word.data() - line.data());
    if (is_one_of(word, kVerbose) && (after_level_field || at < kLevelWithin)) {
      says_so = true;
    }
    after_level_field = is_one_of(word, kLevelFields);
  }
  return says_so && !names_trouble(line);
}

bool LogSampler::keeps(std::string_view line, std::uint32_t keep_one_in) {
  if (keep_one_in <= 1 || !is_verbose(line)) return true;
  return verbose_++ % keep_one_in == 0;
}

}  // namespace observeai::agent
