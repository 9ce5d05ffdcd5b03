#include "agent/logs/redactor.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_entropy.h"
#include "agent/logs/secret_hints.h"
#include "agent/logs/secret_prefilter.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMinKeyBodyBytes =
    24;  // A base64 run this long after a BEGIN line is key material

constexpr std::size_t kLookAhead = 2048;    // Longer than all that matchers decide by
constexpr std::size_t kEdge = 128;          // A find that ends so near to what was seen may go on
constexpr std::size_t kMaxLongLooks = 256;  // In one line; beyond it the line goes as a whole

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
    const auto has = [&](std::uint16_t c) {
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

// A matcher sees kLookAhead bytes: what it decides, it decides there, so that a line full of
// beginnings costs each no more. Only a secret that may go on behind them is looked at in the whole
// line, and counted: a line has few of them.
SecretSpan match_ahead(std::uint16_t tag, std::string_view text, std::size_t at,
                       std::size_t& long_looks) {
  const auto window = text.substr(0, at + kLookAhead);
  const auto found = match_secret(tag, window, at);
  const bool may_go_on = window.size() < text.size() && found.end + kEdge > window.size();
  if (!found || found.limit || !may_go_on) return found;
  ++long_looks;
  return match_secret(tag, text, at);
}

bool begins_before(const SecretSpan& a, const SecretSpan& b) {
  return a.begin < b.begin;
}

// Finds that only look random count where nothing else was found: `named` are sorted.
bool overlaps_any(const std::vector<SecretSpan>& named, const SecretSpan& span) {
  auto after = std::upper_bound(named.begin(), named.end(), SecretSpan{span.end - 1, 0, {}, false},
                                begins_before);
  return after != named.begin() && std::prev(after)->end > span.begin;
}

// Text without its colour codes (SGR sequences of ECMA-48: ESC [ digits ; m), and the way back.
class PlainText {
 public:
  explicit PlainText(std::string_view coloured) {
    plain_.reserve(coloured.size());
    for (std::size_t at = 0; at < coloured.size();) {
      const auto end = code_end(coloured, at);
      if (end != at) {
        at = end;
        pieces_.push_back({plain_.size(), at});
        continue;
      }
      const auto next = std::min(coloured.find('\x1b', at + 1), coloured.size());
      plain_.append(coloured.substr(at, next - at));
      at = next;
    }
  }
  std::string_view text() const { return plain_; }
  // Codes at the edges stay outside of the span.
  SecretSpan back(SecretSpan span) const {
    span.begin = place(span.begin);
    span.end = place(span.end - 1) + 1;
    return span;
  }

 private:
  struct Piece {
    std::size_t plain;  // First byte of the piece in plain_
    std::size_t coloured;
  };
  // Behind the code at `at`; `at` when there is none.
  static std::size_t code_end(std::string_view text, std::size_t at) {
    constexpr std::size_t kMaxCode = 32;
    if (!text.substr(at).starts_with("\x1b[")) return at;
    const auto limit = std::min(text.size(), at + kMaxCode);
    auto i = at + 2;
    while (i < limit && (chars::is(text[i], chars::kDigit) || text[i] == ';' || text[i] == ':'))
      ++i;
    return i < limit && (text[i] == 'm' || text[i] == 'K') ? i + 1 : at;
  }
  std::size_t place(std::size_t plain) const {
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), plain,
                                  [](std::size_t at, const Piece& p) { return at < p.plain; });
    if (piece == pieces_.begin()) return plain;
    --piece;
    return piece->coloured + (plain - piece->plain);
  }

  std::string plain_;
  std::vector<Piece> pieces_;
};

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
  // Behind a logger's prefix only its padding shows it.
  const auto last = bare.substr(bare.find_last_of(" \t") + 1);
  if (last.ends_with('=') && last.size() % 4 == 0 &&
      chars::run_end(last, 0, chars::kAlnum | chars::kBase64) == last.size()) {
    const auto begin = static_cast<std::size_t>(last.data() - line.data());
    return SecretSpan{begin, begin + last.size(), "private_key", false};
  }
  return std::nullopt;
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
  bool complete = true;
  if (const auto hints = secret_hints(text); !hints.escape) {
    complete = find(text, hints, spans);
  } else {
    const PlainText plain(text);
    complete = find(plain.text(), secret_hints(plain.text()), spans);
    for (auto& span : spans) span = plain.back(span);
  }
  if (!complete) {
    replace_whole(text, out);
    return true;
  }
  if (spans.empty()) return false;
  std::sort(spans.begin(), spans.end(), begins_before);
  out = replace_spans(text, spans);
  return true;
}

bool Redactor::find(std::string_view text, const SecretHints& hints,
                    std::vector<SecretSpan>& spans) const {
  std::vector<SecretSpan> random;
  const auto add = [](std::vector<SecretSpan>& to, const SecretSpan& span) {
    to.push_back(span);
    return to.size() <= kMaxSecretsPerLine;
  };
  if (hints.card_number) {
    for (auto card = next_card_number(text, 0); card; card = next_card_number(text, card.end)) {
      if (!add(spans, card)) return false;
    }
  }
  const auto& filter = tables_->filter;
  std::size_t long_looks = 0;
  std::size_t at = filter.next(text, 0);
  while (at != SecretPrefilter::kNone) {
    SecretSpan found;
    filter.tags(text, at, [&](std::uint16_t tag) {
      if (!found) found = match_ahead(tag, text, at, long_looks);
    });
    if (found.limit || long_looks > kMaxLongLooks) return false;
    if (found.kind == kRandomKind) {
      if (!add(random, found)) return false;
      found = {};  // A token with a name may stand in it
    }
    if (found) {
      if (!add(spans, found)) return false;
      if (found.kind == "aws_access_key_id") {
        if (const auto secret = secret_beside_key_id(text, found.end)) spans.push_back(*secret);
      }
    }
    at = filter.next(text, found ? std::max(found.end, at + 1) : at + 1);
  }
  if (hints.run) {
    for (auto run = next_random_run(text, 0); run; run = next_random_run(text, run.end)) {
      if (!add(run.kind == kRandomKind ? random : spans, run)) return false;
    }
  }
  std::sort(spans.begin(), spans.end(), begins_before);
  std::erase_if(random, [&](const SecretSpan& span) { return overlaps_any(spans, span); });
  spans.insert(spans.end(), random.begin(), random.end());
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
