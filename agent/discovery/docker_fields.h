// Tolerant access to what an engine's API sent: a wrong type is the same as a missing field, which is
// empty, 0 or false. References live as long as the object.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "protocol/base/result.h"

namespace observeai::agent {

namespace json = boost::json;

const json::value* find(const json::object& object, std::string_view key);
const json::object& object_at(const json::object& object, std::string_view key);
const json::array& array_at(const json::object& object, std::string_view key);
// Empty: no text.
std::string_view raw_text(const json::value& value);
std::string_view raw_text_at(const json::object& object, std::string_view key);
// Cut at kMaxNameBytes.
std::string text_at(const json::object& object, std::string_view key);
std::int64_t i64_at(const json::object& object, std::string_view key);
// 0 for a negative number.
std::uint64_t u64_at(const json::object& object, std::string_view key);
// 0 for what does not fit.
std::uint32_t u32_of(std::uint64_t value);
bool bool_at(const json::object& object, std::string_view key);
// 0 for "0001-01-01T00:00:00Z", Go's "never", and for what is no time.
std::int64_t time_ms_at(const json::object& object, std::string_view key);

// Enough for a usual container without touching the heap.
inline constexpr std::size_t kParseBuffer = 32 * 1024;

// Parses into memory that is released at once; `use` gets the object.
template <class T, class Use>
Result<T> with_object(std::string_view text, Use use) {
  std::array<unsigned char, kParseBuffer> buffer;  // NOLINT: uninitialized on purpose
  json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::system::error_code error;
  const json::value value =
      json::parse(json::string_view(text.data(), text.size()), error, &memory);
  if (error) return Error(Errc::kCorrupt, "not JSON: " + error.message());
  if (!value.is_object()) return Error(Errc::kCorrupt, "not a JSON object");
  return use(value.get_object());
}

}  // namespace observeai::agent
