#include "agent/logs/log_format.h"

#include <array>
#include <chrono>
#include <ctime>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400;

// Takes what it reads off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  char skip_any_of(std::string_view set) {
    if (rest_.empty() || set.find(rest_.front()) == std::string_view::npos) return '\0';
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  // Exactly `digits` of them, with a value in [least, most].
  bool number(std::size_t digits, int least, int most, int& out) {
    if (rest_.size() < digits) return false;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_digit(rest_[i])) return false;
      value = value * 10 + (rest_[i] - '0');
    }
    if (value < least || value > most) return false;
    rest_.remove_prefix(digits);
    out = value;
    return true;
  }
  // Up to nine digits of a fraction as nanoseconds; more are passed over.
  std::int64_t fraction_ns() {
    std::int64_t value = 0;
    std::int64_t unit = kSecond;
    while (!rest_.empty() && is_digit(rest_.front())) {
      if (unit > 1) {
        unit /= 10;
        value += (rest_.front() - '0') * unit;
      }
      rest_.remove_prefix(1);
    }
    return value;
  }
  bool month_name(int& out) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (rest_.size() < 3) return false;
    const auto at = kMonths.find(rest_.substr(0, 3));
    if (at == std::string_view::npos || at % 3 != 0) return false;
    out = static_cast<int>(at / 3) + 1;
    rest_.remove_prefix(3);
    return true;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

struct TimeOfDay {
  int hour = 0;
  int minute = 0;
  int second = 0;
};

bool read_time_of_day(Cursor& at, TimeOfDay& out) {
  return at.number(2, 0, 23, out.hour) && at.skip(':') && at.number(2, 0, 59, out.minute) &&
         at.skip(':') && at.number(2, 0, 60, out.second);
}

std::optional<std::int64_t> unix_seconds(int year, int month, int day, const TimeOfDay& time) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kDay + time.hour * 3600 + time.minute * 60 + time.second;
}

// "Z", "+02:00", "+0200", "+02"; without any the host's.
std::int64_t read_offset_s(Cursor& at, const ReadingTime& reading) {
  Cursor ahead = at;
  ahead.skip(' ');
  if (at.skip('Z') || at.skip('z')) return 0;
  for (auto* cursor : {&at, &ahead}) {
    const char sign = cursor->skip_any_of("+-");
    int hours = 0;
    int minutes = 0;
    if (sign == '\0' || !cursor->number(2, 0, 14, hours)) continue;
    cursor->skip(':');
    cursor->number(2, 0, 59, minutes);
    return (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  }
  return reading.local_offset_s;
}

std::optional<std::int64_t> parse_iso(Cursor at, const ReadingTime& reading) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!at.number(4, 1970, 2261, year)) return std::nullopt;
  const char separator = at.skip_any_of("-/");
  if (separator == '\0' || !at.number(2, 1, 12, month) || !at.skip(separator) ||
      !at.number(2, 1, 31, day) || at.skip_any_of("T t_") == '\0') {
    return std::nullopt;
  }
  TimeOfDay time;
  if (!read_time_of_day(at, time)) return std::nullopt;
  std::int64_t fraction = 0;
  if (at.skip_any_of(".,") != '\0') fraction = at.fraction_ns();
  const auto offset = read_offset_s(at, reading);
  const auto seconds = unix_seconds(year, month, day, time);
  if (!seconds) return std::nullopt;
  return (*seconds - offset) * kSecond + fraction;
}

std::optional<std::int64_t> parse_syslog(Cursor at, const ReadingTime& reading) {
  int month = 0;
  int day = 0;
  if (!at.month_name(month) || !at.skip(' ')) return std::nullopt;
  const bool one_digit = at.skip(' ');
  if (!at.number(one_digit ? 1 : 2, 1, 31, day) || !at.skip(' ')) return std::nullopt;
  TimeOfDay time;
  if (!read_time_of_day(at, time)) return std::nullopt;
  const std::chrono::sys_days today{
      std::chrono::days(reading.now_ns / kSecond / kDay)};  // Unix time is not before 1970
  int year = static_cast<int>(std::chrono::year_month_day(today).year());
  for (int tries = 0; tries < 8; ++tries, --year) {  // 29 February
    const auto seconds = unix_seconds(tries == 0 ? ++year : year, month, day, time);
    if (!seconds) continue;
    const auto unix_ns = (*seconds - reading.local_offset_s) * kSecond;
    if (unix_ns <= reading.now_ns + kDay * kSecond) return unix_ns;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_leading_time(std::string_view line, const ReadingTime& reading) {
  Cursor at(line);
  if (at.skip('<')) {  // Priority
    const auto end = line.find('>');
    if (end == std::string_view::npos || end > 4) return std::nullopt;
    at = Cursor(line.substr(end + 1));
    if (at.rest().starts_with("1 ")) at = Cursor(at.rest().substr(2));
  }
  at.skip('[');
  if (at.rest().size() < 15) return std::nullopt;
  const char first = at.rest().front();
  const bool letter = first >= 'A' && first <= 'Z';
  const auto time = letter ? parse_syslog(at, reading) : parse_iso(at, reading);
  if (!time || *time > reading.now_ns + kDay * kSecond) return std::nullopt;
  return time;
}

LogEntry decode_cri_line(std::string_view line) {
  LogEntry entry;
  entry.text = line;
  entry.malformed = true;
  const auto time_end = line.find(' ');
  if (time_end == std::string_view::npos) return entry;
  const auto stream_end = line.find(' ', time_end + 1);
  if (stream_end == std::string_view::npos) return entry;
  auto tags_end = line.find(' ', stream_end + 1);
  const bool no_text = tags_end == std::string_view::npos;
  if (no_text) tags_end = line.size();
  const auto stream = line.substr(time_end + 1, stream_end - time_end - 1);
  const auto tags = line.substr(stream_end + 1, tags_end - stream_end - 1);
  const auto tag = tags.substr(0, tags.find(':'));
  const bool known_stream = stream == "stdout" || stream == "stderr";
  if (!known_stream || (tag != "P" && tag != "F")) return entry;
  const auto time = text::parse_rfc3339_ns(line.substr(0, time_end));
  if (!time) return entry;
  entry.text = no_text ? std::string_view() : line.substr(tags_end + 1);
  entry.stream = stream == "stdout" ? wire::LogStream::kStdout : wire::LogStream::kStderr;
  entry.ts_ns = *time;
  entry.complete = tag == "F";
  entry.malformed = false;
  return entry;
}

LogEntry decode_entry(LogFormat format, std::string_view line, const ReadingTime& reading,
                      std::string& scratch) {
  if (format == LogFormat::kDockerJson) return decode_docker_json_line(line, scratch);
  if (format == LogFormat::kCri) return decode_cri_line(line);
  LogEntry entry;
  entry.text = line;
  if (entry.text.ends_with('\r')) entry.text.remove_suffix(1);
  entry.ts_ns = parse_leading_time(line, reading).value_or(reading.now_ns);
  return entry;
}

std::int64_t local_offset_s(std::int64_t unix_ns) {
  const auto seconds = static_cast<std::time_t>(unix_ns / kSecond);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return 0;
  return local.tm_gmtoff;
}

}  // namespace observeai::agent
