#include "agent/logs/docker_json_line.h"

#include <array>
#include <bit>
#include <cstring>
#include <optional>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/logs/docker_time.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxNesting = 64;  // Of values we only step over
constexpr std::size_t kBlock = 16;

#if defined(__SSE2__)
__m128i load_block(std::string_view text, std::size_t at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
}
unsigned quotes_and_escapes(__m128i block) {
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(
      _mm_cmpeq_epi8(block, _mm_set1_epi8('"')), _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')))));
}
#endif

// Index of the next '"' or '\\' at or after `from`, or the size.
std::size_t find_quote_or_escape(std::string_view text, std::size_t from) {
  std::size_t i = from;
#if defined(__SSE2__)
  for (; i + kBlock <= text.size(); i += kBlock) {
    const auto hits = quotes_and_escapes(load_block(text, i));
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

char* put_utf8(char* out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 63));
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  }
  return out;
}

// `at` is behind "\u"; moves it behind the digits (of both halves of a pair). Null: no digits.
char* put_unicode_escape(std::string_view text, std::size_t& at, char* out) {
  const int first = hex4(text, at);
  if (first < 0) return nullptr;
  at += 4;
  auto code = static_cast<std::uint32_t>(first);
  const bool high_half = code >= 0xD800 && code < 0xDC00;
  if (high_half && at + 6 <= text.size() && text[at] == '\\' && text[at + 1] == 'u') {
    const int second = hex4(text, at + 2);
    if (second >= 0xDC00 && second < 0xE000) {
      at += 6;
      return put_utf8(
          out, 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00));
    }
  }
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  return put_utf8(out, code);
}

// What a backslash and this byte stand for; 0: no such escape, or "\u".
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> out{};
  out['n'] = '\n';
  out['t'] = '\t';
  out['r'] = '\r';
  out['b'] = '\b';
  out['f'] = '\f';
  out['"'] = '"';
  out['\\'] = '\\';
  out['/'] = '/';
  return out;
}();

// Copies up to the next '"' or '\\' at or after `at`, or to the end of the text; moves `at` there.
char* copy_plain(std::string_view text, std::size_t& at, char* out) {
#if defined(__SSE2__)
  for (; at + kBlock <= text.size(); at += kBlock, out += kBlock) {
    const __m128i block = load_block(text, at);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), block);
    const auto hits = quotes_and_escapes(block);
    if (hits == 0) continue;
    const auto plain = std::countr_zero(hits);
    at += static_cast<std::size_t>(plain);
    return out + plain;
  }
#endif
  while (at < text.size() && text[at] != '"' && text[at] != '\\') *out++ = text[at++];
  return out;
}

// A string's content: `at` is behind the opening quote and moves behind the closing one. No escape is
// shorter than what it stands for: `out` has room for the rest of the text. Returns the end of what
// was written, or null.
char* put_string(std::string_view text, std::size_t& at, char* out) {
  for (;;) {
    out = copy_plain(text, at, out);
    if (at >= text.size()) return nullptr;
    if (text[at++] == '"') return out;
    if (at >= text.size()) return nullptr;
    const char c = text[at++];
    if (const char meant = kEscapes[static_cast<unsigned char>(c)]; meant != 0) {
      *out++ = meant;
      continue;
    }
    if (c != 'u') return nullptr;
    out = put_unicode_escape(text, at, out);
    if (out == nullptr) return nullptr;
  }
}

// The same as a view into `buffer`, which grows as needed and is never made shorter.
std::optional<std::string_view> read_string(std::string_view text, std::size_t& at,
                                            std::string& buffer) {
  const auto room = text.size() - at;
  if (buffer.size() < room) buffer.resize(room);
  const char* const end = put_string(text, at, buffer.data());
  if (end == nullptr) return std::nullopt;
  return std::string_view(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
}

struct LogText {
  std::string_view text;
  bool complete = false;
};

LogText without_newline(std::string_view text) {
  if (!text.empty() && text.back() == '\n') return {text.substr(0, text.size() - 1), true};
  return {text, false};
}

// As read_string, without a copy when the only escape is the newline at the end.
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
  const auto text = read_string(line, at, scratch);
  if (!text) return std::nullopt;
  return without_newline(*text);
}

template <std::size_t kSize>
bool take(std::string_view text, std::size_t& at, const char (&literal)[kSize]) {
  constexpr auto kLength = kSize - 1;
  if (text.size() < at + kLength || std::memcmp(text.data() + at, literal, kLength) != 0)
    return false;
  at += kLength;
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
  const auto time = parse_docker_time(line.substr(at, line.size() - at - kEnd.size()));
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
    const auto log = without_newline(log_);
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
    if (!take_byte('"')) return false;
    const auto key = read_string(line_, at_, member_);
    if (!key || !take_byte(':')) return false;
    if (*key == "log") {
      const auto log = take_byte('"') ? read_string(line_, at_, scratch_) : std::nullopt;
      has_log_ = log.has_value();
      log_ = log.value_or(std::string_view());
      return has_log_;
    }
    const bool is_time = *key == "time";
    if (!is_time && *key != "stream") return skip_value();
    const auto value = take_byte('"') ? read_string(line_, at_, member_) : std::nullopt;
    if (!value) return false;
    if (is_time) {
      time_ = parse_docker_time(*value);
    } else if (*value == "stdout") {
      stream_ = wire::LogStream::kStdout;
    } else if (*value == "stderr") {
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
  std::string member_;  // Keys, and values apart from the log's
  std::string_view log_;
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
