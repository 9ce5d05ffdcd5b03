#include "agent/discovery/docker_fields.h"

#include <algorithm>

#include "agent/discovery/clip.h"
#include "agent/discovery/docker_json.h"
#include "protocol/base/text.h"

namespace observeai::agent {

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}
const json::object& object_at(const json::object& object, std::string_view key) {
  static const json::object empty;
  const json::value* value = find(object, key);
  return value != nullptr && value->is_object() ? value->get_object() : empty;
}
const json::array& array_at(const json::object& object, std::string_view key) {
  static const json::array empty;
  const json::value* value = find(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : empty;
}
std::string_view raw_text(const json::value& value) {
  if (!value.is_string()) return {};
  const json::string& text = value.get_string();
  return {text.data(), text.size()};
}
std::string_view raw_text_at(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr ? std::string_view() : raw_text(*value);
}

std::string text_at(const json::object& object, std::string_view key) {
  return clip_utf8(raw_text_at(object, key), kMaxNameBytes);
}
std::int64_t i64_at(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? 0 : number;
}
std::uint64_t u64_at(const json::object& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(i64_at(object, key), 0));
}
std::uint32_t u32_of(std::uint64_t value) {
  return value > 0xFFFF'FFFFULL ? 0 : static_cast<std::uint32_t>(value);
}
bool bool_at(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}
std::int64_t time_ms_at(const json::object& object, std::string_view key) {
  const std::string_view raw = raw_text_at(object, key);
  if (raw.substr(0, 2) != "19" && raw.substr(0, 2) != "20" && raw.substr(0, 2) != "21") return 0;
  const auto ns = text::parse_rfc3339_ns(raw);
  return ns ? std::max<std::int64_t>(*ns / 1'000'000, 0) : 0;
}

}  // namespace observeai::agent
