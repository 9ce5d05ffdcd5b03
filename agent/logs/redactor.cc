#include "agent/logs/redactor.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_prefilter.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMinKeyBodyBytes =
    24;  // A base64 run this long after a BEGIN line is key material

void replace_whole(std::string_view text, std::string& out) {
  out = "[REDACTED:line of " + std::to_string(text.size()) + " bytes]";
}

void append_marker(std::string& out, std::string_view kind) {
  out.append("[REDACTED:").append(kind).push_back(']');
}

std::string replace_spans(std::string_view text, const std::vector<SecretSpan>& spans) {
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (const auto& span : spans) {
    if (span.end <= done) continue;  // Inside the one before
    if (span.begin >= done) {
      out.append(text.substr(done, span.begin - done));
      append_marker(out, span.kind);
    }
    done = span.end;
  }
  out.append(text.substr(done));
  return out;
}

// AWS hands out key id and secret together; the secret alone is 40 characters like any other.
std::optional<SecretSpan> secret_beside_key_id(std::string_view text, std::size_t from) {
  constexpr std::size_t kReach = 160;
  constexpr std::size_t kSecretBytes = 40;
  const auto limit = std::min(text.size(), from + kReach);
  for (std::size_t i = from; i < limit;) {
    const auto end = chars::run_end(text, i, chars::kAlnum | chars::kBase64);
    auto begin = i;
    while (begin < end && text[begin] == '=') ++begin;  // key=value
    const auto body = text.substr(begin, end - begin);
    const auto has = [&](std::uint8_t c) {
      return std::any_of(body.begin(), body.end(), [c](char x) { return chars::is(x, c); });
    };
    if (body.size() == kSecretBytes && has(chars::kDigit) && has(chars::kUpper) &&
        has(chars::kLower)) {
      return SecretSpan{begin, end, "aws_secret_access_key", false};
    }
    i = end + 1;
  }
  return std::nullopt;
}

// What a line inside a private key block looks like: base64, perhaps behind a prefix of the logger.
std::optional<SecretSpan> key_body(std::string_view line) {
  std::size_t i = 0;
  while (i < line.size()) {
    const auto end = chars::run_end(line, i, chars::kAlnum | chars::kBase64);
    if (end - i >= kMinKeyBodyBytes) return SecretSpan{i, line.size(), "private_key", false};
    i = end + 1;
  }
  // The last line of a key may be short; it stands alone.
  const auto bare = text::trim(line);
  if (!bare.empty() && chars::run_end(bare, 0, chars::kAlnum | chars::kBase64) == bare.size()) {
    return SecretSpan{0, line.size(), "private_key", false};
  }
  return std::nullopt;
}

bool opens_key_block(std::string_view text) {
  const auto begin = text.rfind("-----BEGIN ");
  if (begin == std::string_view::npos) return false;
  return text.substr(begin).find("PRIVATE KEY") != std::string_view::npos &&
         text.substr(begin).find("-----END ") == std::string_view::npos;
}

}  // namespace

struct Redactor::Tables {
  SecretPrefilter filter;
};

Redactor::Redactor() {
  auto tables = std::make_unique<Tables>();
  add_secret_anchors(tables->filter);
  tables->filter.seal();
  tables_ = std::move(tables);
}
Redactor::~Redactor() = default;
Redactor::Redactor(Redactor&&) noexcept = default;
Redactor& Redactor::operator=(Redactor&&) noexcept = default;

bool Redactor::redact(std::string_view text, std::string& out) const {
  if (text.size() > kMaxRedactBytes) {
    replace_whole(text, out);
    return true;
  }
  std::vector<SecretSpan> spans;
  for (auto card = next_card_number(text, 0); card; card = next_card_number(text, card.end)) {
    spans.push_back(card);
    if (spans.size() > kMaxSecretsPerLine) break;
  }
  const auto& filter = tables_->filter;
  std::size_t at = filter.next(text, 0);
  while (at != SecretPrefilter::kNone && spans.size() <= kMaxSecretsPerLine) {
    SecretSpan found;
    filter.tags(text, at, [&](std::uint16_t tag) {
      if (!found) found = match_secret(tag, text, at);
    });
    if (found.limit) {
      replace_whole(text, out);
      return true;
    }
    if (found) {
      spans.push_back(found);
      if (found.kind == "aws_access_key_id") {
        if (const auto secret = secret_beside_key_id(text, found.end)) spans.push_back(*secret);
      }
    }
    at = filter.next(text, found ? std::max(found.end, at + 1) : at + 1);
  }
  if (spans.empty()) return false;
  if (spans.size() > kMaxSecretsPerLine) {
    replace_whole(text, out);
    return true;
  }
  std::sort(spans.begin(), spans.end(),
            [](const SecretSpan& a, const SecretSpan& b) { return a.begin < b.begin; });
  out = replace_spans(text, spans);
  return true;
}

bool Redactor::redact_line(std::string_view text, std::uint32_t& key_lines_left,
                           std::string& out) const {
  if (key_lines_left > 0) {
    --key_lines_left;
    if (text.find("-----END ") != std::string_view::npos) {
      key_lines_left = 0;
    } else if (const auto body = key_body(text)) {
      out = replace_spans(text, {*body});
      return true;
    }
  }
  const bool changed = redact(text, out);
  if (changed && opens_key_block(text)) key_lines_left = kMaxKeyBlockLines;
  return changed;
}

std::string redact(std::string_view text) {
  static const Redactor redactor;
  std::string out;
  return redactor.redact(text, out) ? out : std::string(text);
}

}  // namespace observeai::agent
