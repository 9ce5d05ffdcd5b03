// Walks text of the kernel without allocating. Every function accepts any bytes.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

namespace observeai::agent {

// Lines without their newline; the last one may lack it.
class LineScanner {
 public:
  explicit LineScanner(std::string_view text) : rest_(text) {}
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

// Words between runs of spaces and tabs.
class WordScanner {
 public:
  explicit WordScanner(std::string_view text) : rest_(text) {}
  bool next(std::string_view& word) {
    std::size_t begin = 0;
    while (begin < rest_.size() && is_blank(rest_[begin])) ++begin;
    std::size_t end = begin;
    while (end < rest_.size() && !is_blank(rest_[end])) ++end;
    word = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    return !word.empty();
  }
  std::string_view rest() const { return rest_; }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t'; }
  std::string_view rest_;
};

// The whole text in the base given, no sign, no overflow.
inline bool to_u64(std::string_view text, std::uint64_t& value, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc() && stop == end && !text.empty();
}

inline bool to_f64(std::string_view text, double& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

// The next word as a number.
inline bool next_u64(WordScanner& words, std::uint64_t& value) {
  std::string_view word;
  return words.next(word) && to_u64(word, value);
}

// Without the white space at both ends: sysfs values end in a newline.
inline std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace observeai::agent
