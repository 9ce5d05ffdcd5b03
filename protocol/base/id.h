// Every id is its own type: an AgentId never passes where a TenantId is wanted.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai {

inline constexpr std::size_t kMaxIdLength = 64;

// True for [a-z0-9-]{1,64}: safe in a topic, a certificate's CN, a file name and an ACL line.
bool is_valid_id(std::string_view text);

// A textual id of the grammar above. Immutable; compares and hashes by value.
template <class Tag>
class StringId {
 public:
  // kInvalid when `text` breaks the grammar.
  static Result<StringId> parse(std::string_view text) {
    if (!is_valid_id(text)) {
      return Error(Errc::kInvalid, std::string("id must match [a-z0-9-]{1,64}, got \"")
                                       .append(text.substr(0, 80))
                                       .append("\""));
    }
    return StringId(std::string(text));
  }

  StringId() = default;  // Empty: "no id". Never valid on the wire.
  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StringId&) const = default;

 private:
  explicit StringId(std::string value) : value_(std::move(value)) {}
  std::string value_;
};

using AgentId = StringId<struct AgentIdTag>;
using TenantId = StringId<struct TenantIdTag>;

// Made when a spool is created; a clone or a restored snapshot shows by reusing one.
struct Epoch {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Epoch&) const = default;
};

// Ingest parallelism unit, fixed at enrollment: 0..63.
inline constexpr std::uint32_t kShardCount = 64;

}  // namespace observeai

template <class Tag>
struct std::hash<observeai::StringId<Tag>> {
  std::size_t operator()(const observeai::StringId<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.value());
  }
};
