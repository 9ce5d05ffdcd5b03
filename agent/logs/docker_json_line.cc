#include "agent/logs/docker_json_line.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <optional>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxNesting = 64;  // Of values we only step over

// Index of the next '"' or '\\' at or after `from`, or the size.
std::size_t find_quote_or_escape(std::string_view text, std::size_t from) {
  std::size_t i = from;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i escape = _mm_set1_epi8('\\');
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    const auto hits = static_cast<unsigned>(_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, escape))));
    if (hits != 0) return i + static_cast<std::size_t>(std::countr_zero(hits));
  }
#endif
  while (i < text.size() && text[i] != '"' && text[i] != '\\') ++i;
  return i;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hex digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 63)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 63)));
    out.push_back(static_cast<char>(0x80 | (code & 63)));
  } else {
    out.push_back(static_cast<char>(0xF0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | (code >> 12 & 63)));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 63)));
    out.push_back(static_cast<char>(0x80 | (code & 63)));
  }
}

// `at` is behind "\u"; moves it behind the digits (of both halves of a pair).
bool append_unicode_escape(std::string_view text, std::size_t& at, std::string& out) {
  const int first = hex4(text, at);
  if (first < 0) return false;
  at += 4;
  auto code = static_cast<std::uint32_t>(first);
  const bool high_half = code >= 0xD800 && code < 0xDC00;
  if (high_half && at + 6 <= text.size() && text[at] == '\\' && text[at + 1] == 'u') {
    const int second = hex4(text, at + 2);
    if (second >= 0xDC00 && second < 0xE000) {
      at += 6;
      append_utf8(
          out, 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00));
      return true;
    }
  }
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  append_utf8(out, code);
  return true;
}

// `at` is behind the backslash.
bool append_escape(std::string_view text, std::size_t& at, std::string& out) {
  if (at >= text.size()) return false;
  const char c = text[at++];
  switch (c) {
    case 'n':
      out.push_back('\n');
      return true;
    case 't':
      out.push_back('\t');
      return true;
    case 'r':
      out.push_back('\r');
      return true;
    case 'b':
      out.push_back('\b');
      return true;
    case 'f':
      out.push_back('\f');
      return true;
    case '"':
    case '\\':
    case '/':
      out.push_back(c);
      return true;
    case 'u':
      return append_unicode_escape(text, at, out);
    default:
      return false;
  }
}

// A string's content: `at` is behind the opening quote and moves behind the closing one.
// Appends to `out`.
bool append_string(std::string_view text, std::size_t& at, std::string& out) {
  for (;;) {
    const auto stop = find_quote_or_escape(text, at);
    if (stop >= text.size()) return false;
    out.append(text.substr(at, stop - at));
    at = stop + 1;
    if (text[stop] == '"') return true;
    if (!append_escape(text, at, out)) return false;
  }
}

struct LogText {
  std::string_view text;
  bool complete = false;
};

LogText without_newline(std::string_view text) {
  if (!text.empty() && text.back() == '\n') return {text.substr(0, text.size() - 1), true};
  return {text, false};
}

// As append_string, without a copy when the only escape is the newline at the end.
std::optional<LogText> read_log_text(std::string_view line, std::size_t& at, std::string& scratch) {
  const auto stop = find_quote_or_escape(line, at);
  if (stop >= line.size()) return std::nullopt;
  const auto plain = line.substr(at, stop - at);
  if (line[stop] == '"') {
    at = stop + 1;
    return without_newline(plain);
  }
  if (stop + 2 < line.size() && line[stop + 1] == 'n' && line[stop + 2] == '"') {
    at = stop + 3;
    return LogText{plain, true};
  }
  scratch.clear();
  if (!append_string(line, at, scratch)) return std::nullopt;
  return without_newline(scratch);
}

// What stands before the fraction, and what it means: lines of one second follow each other.
struct Second {
  std::array<char, 19> text{};
  std::int64_t unix_s = 0;
};

// Up to nine digits behind a point and 'Z', as nanoseconds; -1 when it is something else.
std::int64_t fraction_ns(std::string_view text) {
  if (text.size() < 3 || text.size() > 11 || text[0] != '.' || text.back() != 'Z') return -1;
  std::int64_t value = 0;
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  for (auto digits = text.size() - 2; digits < 9; ++digits) value *= 10;
  return value;
}

// The daemon's own form, "2026-11-21T07:45:00.123456789Z"; everything else is left to the general
// one.
std::optional<std::int64_t> parse_full_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  const auto general = [&]() -> std::optional<std::int64_t> {
    auto parsed = text::parse_rfc3339_ns(text);
    if (!parsed) return std::nullopt;
    return *parsed;
  };
  if (text.size() < kShape.size() + 1 || text.size() > kShape.size() + 11 || text.back() != 'Z') {
    return general();
  }
  std::array<unsigned, 20> digit{};
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    digit[i] = static_cast<unsigned>(text[i] - '0');
    if (kShape[i] == '0' ? digit[i] > 9 : text[i] != kShape[i]) return general();
  }
  const auto two = [&](std::size_t i) { return digit[i] * 10 + digit[i + 1]; };
  const auto year = static_cast<int>(two(0) * 100 + two(2));
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(two(5)),
                                         std::chrono::day(two(8))};
  if (year < 1970 || year > 2200 || !date.ok() || two(11) > 23 || two(14) > 59 || two(17) > 59) {
    return general();
  }
  std::int64_t fraction = 0;
  const auto digits = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!digits.empty()) {
    if (digits[0] != '.' || digits.size() < 2 || digits.size() > 10) return general();
    std::int64_t scale = 100'000'000;
    for (const char c : digits.substr(1)) {
      if (c < '0' || c > '9') return general();
      fraction += (c - '0') * scale;
      scale /= 10;
    }
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds =
      std::int64_t{days} * 86'400 + two(11) * 3600 + two(14) * 60 + two(17);
  return seconds * 1'000'000'000 + fraction;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  static thread_local Second last;
  constexpr auto kBytes = std::tuple_size_v<decltype(last.text)>;
  const auto fraction = text.size() > kBytes ? fraction_ns(text.substr(kBytes)) : -1;
  if (fraction < 0) return parse_full_time(text);
  if (std::memcmp(text.data(), last.text.data(), kBytes) != 0) {
    const auto whole = parse_full_time(text);
    if (!whole) return whole;
    std::memcpy(last.text.data(), text.data(), kBytes);
    last.unix_s = (*whole - fraction) / 1'000'000'000;
  }
  return last.unix_s * 1'000'000'000 + fraction;
}

bool take(std::string_view text, std::size_t& at, std::string_view literal) {
  if (text.compare(at, literal.size(), literal) != 0) return false;
  at += literal.size();
  return true;
}

// The daemon's fixed layout without attrs.
std::optional<DockerLogEntry> decode_fixed_layout(std::string_view line, std::string& scratch) {
  constexpr std::string_view kEnd = "\"}";
  std::size_t at = 0;
  if (!take(line, at, R"({"log":")")) return std::nullopt;
  const auto log = read_log_text(line, at, scratch);
  if (!log || !take(line, at, R"(,"stream":"std)")) return std::nullopt;
  DockerLogEntry entry;
  if (take(line, at, R"(out","time":")")) {
    entry.stream = wire::LogStream::kStdout;
  } else if (take(line, at, R"(err","time":")")) {
    entry.stream = wire::LogStream::kStderr;
  } else {
    return std::nullopt;
  }
  if (line.size() < at + kEnd.size() || !line.ends_with(kEnd)) return std::nullopt;
  const auto time = parse_time(line.substr(at, line.size() - at - kEnd.size()));
  if (!time) return std::nullopt;
  entry.text = log->text;
  entry.complete = log->complete;
  entry.ts_ns = *time;
  return entry;
}

// Reads any JSON object of string members and steps over the rest. Bounded: no recursion.
class ObjectReader {
 public:
  ObjectReader(std::string_view line, std::string& scratch) : line_(line), scratch_(scratch) {}

  std::optional<DockerLogEntry> read() {
    if (!take_byte('{')) return std::nullopt;
    if (!take_byte('}')) {
      do {
        if (!read_member()) return std::nullopt;
      } while (take_byte(','));
      if (!take_byte('}')) return std::nullopt;
    }
    skip_space();
    if (at_ != line_.size() || !has_log_ || !time_ || stream_ == wire::LogStream::kOther) {
      return std::nullopt;
    }
    const auto log = without_newline(scratch_);
    return DockerLogEntry{log.text, stream_, *time_, log.complete, false};
  }

 private:
  void skip_space() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r'))
      ++at_;
  }
  bool take_byte(char c) {
    skip_space();
    if (at_ >= line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool read_member() {
    std::string key;
    if (!take_byte('"') || !append_string(line_, at_, key) || !take_byte(':')) return false;
    if (key == "log") {
      scratch_.clear();
      has_log_ = take_byte('"') && append_string(line_, at_, scratch_);
      return has_log_;
    }
    if (key != "stream" && key != "time") return skip_value();
    std::string value;
    if (!take_byte('"') || !append_string(line_, at_, value)) return false;
    if (key == "time") {
      time_ = parse_time(value);
    } else if (value == "stdout") {
      stream_ = wire::LogStream::kStdout;
    } else if (value == "stderr") {
      stream_ = wire::LogStream::kStderr;
    }
    return true;
  }

  bool skip_string() {
    for (;;) {
      const auto stop = find_quote_or_escape(line_, at_);
      if (stop >= line_.size()) return false;
      at_ = stop + 1;
      if (line_[stop] == '"') return true;
      if (++at_ > line_.size()) return false;
    }
  }
  bool skip_scalar() {
    const auto begin = at_;
    while (at_ < line_.size() && std::strchr(",:{}[]\" \t\r", line_[at_]) == nullptr) ++at_;
    return at_ > begin;
  }
  bool skip_value() {
    std::string closers;
    for (;;) {
      skip_space();
      if (at_ >= line_.size()) return false;
      const char c = line_[at_];
      if (c == '{' || c == '[') {
        if (closers.size() == kMaxNesting) return false;
        closers.push_back(c == '{' ? '}' : ']');
        ++at_;
        continue;
      }
      if (!closers.empty() && c == closers.back()) {
        closers.pop_back();
        ++at_;
      } else if (!closers.empty() && (c == ',' || c == ':')) {
        ++at_;
        continue;
      } else if (c == '"') {
        ++at_;
        if (!skip_string()) return false;
      } else if (!skip_scalar()) {
        return false;
      }
      if (closers.empty()) return true;
    }
  }

  std::string_view line_;
  std::string& scratch_;
  std::size_t at_ = 0;
  bool has_log_ = false;
  wire::LogStream stream_ = wire::LogStream::kOther;
  std::optional<std::int64_t> time_;
};

}  // namespace

DockerLogEntry decode_docker_json_line(std::string_view line, std::string& scratch) {
  if (const auto entry = decode_fixed_layout(line, scratch)) return *entry;
  if (const auto entry = ObjectReader(line, scratch).read()) return *entry;
  DockerLogEntry raw;
  raw.text = line;
  raw.malformed = true;
  return raw;
}

}  // namespace observeai::agent
