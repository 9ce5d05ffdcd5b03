// The query parameters of one request, checked against what its route knows. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "controlplane/api/messages.h"
#include "controlplane/model/records.h"
#include "protocol/wire/signals.h"

namespace observeai::controlplane::api {

inline constexpr std::size_t kMaxParameters = 64;
inline constexpr std::size_t kMaxGrepBytes = 1024;
inline constexpr std::int64_t kMaxRows = 10'000;
inline constexpr std::int64_t kHourMs = 3'600'000;

// kInvalid on a broken %XX or a result that is not UTF-8. '+' stays '+': in a path.
Result<std::string> percent_decode(std::string_view text);
// The same for a part of the query, where '+' is a space (and %2B a plus), as forms and URL libraries
// write it.
Result<std::string> query_decode(std::string_view text);

class Params {
 public:
  // `known` are the route's names; one that ends in '.' stands for all that begin so. Unknown or
  // repeated names are refused; an empty value counts as not given.
  static Answer<Params> parse(std::string_view query, std::span<const std::string_view> known);

  std::string text(const std::string& name) const;  // "" when not given
  bool has(const std::string& name) const { return values_.contains(name); }
  Answer<std::int64_t> integer(const std::string& name, std::int64_t least, std::int64_t most,
                               std::int64_t otherwise) const;
  Answer<bool> boolean(const std::string& name) const;
  // One of `choices`; the first when not given.
  Answer<std::string> choice(const std::string& name, std::span<const std::string> choices) const;
  // Unix ms, a span before now, or RFC 3339.
  Answer<std::int64_t> time(const std::string& name, std::int64_t now_ms,
                            std::int64_t otherwise) const;
  // since/until; since defaults to `span_ms` ago, until to a little after now (clocks differ).
  Answer<model::TimeRange> range(std::int64_t now_ms, std::int64_t span_ms) const;
  Answer<std::int64_t> step() const;  // 0 when not given
  Answer<std::string> grep() const;
  Answer<std::optional<wire::LogStream>> stream() const;
  wire::Labels labels() const;  // label.<name>=<value>

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace observeai::controlplane::api
