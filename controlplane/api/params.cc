#include "controlplane/api/params.h"

#include <algorithm>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::string_view kLabelPrefix = "label.";
constexpr std::int64_t kMaxTimeMs = 253'402'300'800'000;  // The year 10000
// Rows of a host whose clock is ahead are part of "until now".
constexpr std::int64_t kClockSlackMs = 5 * 60'000;

std::string join(std::span<const std::string> words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

bool is_known(std::string_view name, std::span<const std::string_view> known) {
  return std::any_of(known.begin(), known.end(), [&](std::string_view candidate) {
    if (!candidate.ends_with('.')) return name == candidate;
    return name.starts_with(candidate) && name.size() > candidate.size();
  });
}

Problem unknown_parameter(const std::string& name, std::span<const std::string_view> known) {
  const std::vector<std::string> names(known.begin(), known.end());
  const auto near = text::nearest(name, names);
  std::string hint = near            ? "did you mean " + *near + "?"
                     : names.empty() ? "this endpoint takes no parameters"
                                     : "known: " + join(names);
  return bad_parameter(log::printable(name, 80), "is not a parameter of this endpoint",
                       std::move(hint));
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

Result<std::string> query_decode(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low)
      return Error(Errc::kInvalid, "a % in the address is not followed by two hex digits");
    out += static_cast<char>(*high << 4U | *low);
    i += 2;
  }
  if (!text::is_valid_utf8(out) || out.find('\0') != std::string::npos) {
    return Error(Errc::kInvalid, "the address is not UTF-8 text");
  }
  return out;
}

Answer<Params> Params::parse(std::string_view query, std::span<const std::string_view> known) {
  Params params;
  if (query.empty()) return params;
  const auto parts = text::split(query, '&');
  if (parts.size() > kMaxParameters) return Problem(400, Errc::kInvalid, "more than 64 parameters");
  for (const auto part : parts) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    TRY(const auto name, query_decode(part.substr(0, equals)));
    TRY(auto value, query_decode(equals == std::string_view::npos ? "" : part.substr(equals + 1)));
    if (!is_known(name, known)) return unknown_parameter(name, known);
    if (params.values_.contains(name)) return bad_parameter(name, "is given twice");
    params.values_.emplace(name, std::move(value));
  }
  std::erase_if(params.values_, [](const auto& entry) { return entry.second.empty(); });
  return params;
}

std::string Params::text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second;
}

Answer<std::int64_t> Params::integer(const std::string& name, std::int64_t least, std::int64_t most,
                                     std::int64_t otherwise) const {
  if (!has(name)) return otherwise;
  const auto value = text::parse_i64(text(name));
  if (!value || *value < least || *value > most) {
    return bad_parameter(
        name, "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *value;
}

Answer<bool> Params::boolean(const std::string& name) const {
  const auto value = text(name);
  if (value.empty() || value == "false") return false;
  if (value == "true") return true;
  return bad_parameter(name, "must be true or false");
}

Answer<std::string> Params::choice(const std::string& name,
                                   std::span<const std::string> choices) const {
  if (!has(name)) return choices.front();
  const auto value = text(name);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  return bad_parameter(name, "must be one of " + join(choices));
}

Answer<std::int64_t> Params::time(const std::string& name, std::int64_t now_ms,
                                  std::int64_t otherwise) const {
  if (!has(name)) return otherwise;
  const auto value = text(name);
  if (const auto ms = text::parse_i64(value); ms && *ms >= 0 && *ms <= kMaxTimeMs) return *ms;
  if (const auto span = text::parse_duration_ms(value); span && *span >= 0)
    return std::max<std::int64_t>(0, now_ms - *span);
  if (const auto ns = text::parse_rfc3339_ns(value)) return *ns / 1'000'000;
  return bad_parameter(
      name, "is not a time",
      "write a span before now (15m, 2h, 1d), unix milliseconds, or 2026-11-21T07:45:00Z");
}

Answer<model::TimeRange> Params::range(std::int64_t now_ms, std::int64_t span_ms) const {
  model::TimeRange range;
  TRY(range.until_ms, time("until", now_ms, now_ms + kClockSlackMs));
  const auto end_ms = std::min(range.until_ms, now_ms);
  TRY(range.since_ms, time("since", now_ms, std::max<std::int64_t>(0, end_ms - span_ms)));
  if (range.since_ms > range.until_ms) return bad_parameter("since", "must not be after until");
  return range;
}

Answer<std::int64_t> Params::step() const {
  if (!has("step")) return 0;
  const auto step = text::parse_duration_ms(text("step"));
  if (!step || *step < 1000)
    return bad_parameter("step", "must be a time span of at least 1s, such as 60s");
  return *step;
}

Answer<std::string> Params::grep() const {
  const auto value = text("grep");
  if (value.size() > kMaxGrepBytes) return bad_parameter("grep", "is longer than 1024 bytes");
  return value;
}

Answer<std::optional<wire::LogStream>> Params::stream() const {
  if (!has("stream")) return std::optional<wire::LogStream>();
  const auto value = text("stream");
  if (value == "stdout") return std::optional(wire::LogStream::kStdout);
  if (value == "stderr") return std::optional(wire::LogStream::kStderr);
  if (value == "other") return std::optional(wire::LogStream::kOther);
  return bad_parameter("stream", "must be one of stdout, stderr, other");
}

wire::Labels Params::labels() const {
  wire::Labels labels;
  for (const auto& [name, value] : values_) {
    if (name.starts_with(kLabelPrefix)) labels.push_back({name.substr(kLabelPrefix.size()), value});
  }
  return labels;  // Sorted: the map is.
}

}  // namespace observeai::controlplane::api
