#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "agent/executor/docker_answers.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxMessageBytes = 300;

// Boost reads 1e999 as infinity and writes that as a word which is no JSON.
bool is_finite(const json::value& value) {
  if (const auto* object = value.if_object())
    return std::all_of(object->begin(), object->end(),
                       [](const auto& member) { return is_finite(member.value()); });
  if (const auto* array = value.if_array())
    return std::all_of(array->begin(), array->end(), is_finite);
  return !value.is_double() || std::isfinite(value.get_double());
}

// The depth is Boost's own limit, 32.
Result<json::value> parse_value(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return Error(Errc::kCorrupt, "not JSON: " + error.message());
  if (!is_finite(value)) return Error(Errc::kCorrupt, "not JSON: a number beyond every range");
  return value;
}

void append_canonical(const json::value& value, std::string& out) {
  if (value.is_object()) {
    std::vector<std::string_view> keys;
    for (const auto& member : value.get_object()) {
      keys.emplace_back(member.key().data(), member.key().size());
    }
    std::sort(keys.begin(), keys.end());
    out.push_back('{');
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) out.push_back(',');
      out.append(json::serialize(json::string(keys[i].data(), keys[i].size()))).push_back(':');
      append_canonical(*value_at(value.get_object(), keys[i]), out);
    }
    out.push_back('}');
  } else if (value.is_array()) {
    out.push_back('[');
    for (const auto& element : value.get_array()) {
      if (out.back() != '[') out.push_back(',');
      append_canonical(element, out);
    }
    out.push_back(']');
  } else {
    out.append(json::serialize(value));
  }
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
  TRY(json::value value, parse_value(text));
  if (!value.is_object()) return Error(Errc::kCorrupt, "not a JSON object");
  return std::move(value.get_object());
}

Result<json::array> parse_array(std::string_view text) {
  TRY(json::value value, parse_value(text));
  if (value.is_null()) return json::array();  // How the engine writes an empty list at times
  if (!value.is_array()) return Error(Errc::kCorrupt, "not a JSON array");
  return std::move(value.get_array());
}

const json::value* value_at(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}
const json::object& object_at(const json::object& object, std::string_view key) {
  static const json::object empty;
  const json::value* value = value_at(object, key);
  return value != nullptr && value->is_object() ? value->get_object() : empty;
}
const json::array& array_at(const json::object& object, std::string_view key) {
  static const json::array empty;
  const json::value* value = value_at(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : empty;
}
std::string_view text_of(const json::value& value) {
  if (!value.is_string()) return {};
  return {value.get_string().data(), value.get_string().size()};
}
std::string_view text_at(const json::object& object, std::string_view key) {
  const json::value* value = value_at(object, key);
  return value == nullptr ? std::string_view() : text_of(*value);
}
std::int64_t integer_at(const json::object& object, std::string_view key) {
  const json::value* value = value_at(object, key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? 0 : number;
}
bool flag_at(const json::object& object, std::string_view key) {
  const json::value* value = value_at(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string canonical_json(const json::value& value) {
  std::string out;
  append_canonical(value, out);
  return out;
}

std::string parse_message(std::string_view text) {
  const auto answer = parse_object(text);
  if (!answer) return {};
  return text::escape_unprintable(text_at(*answer, "message"), kMaxMessageBytes);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (plain) {
      out.push_back(c);
    } else {
      out.append("%").append(text::to_hex(text::as_bytes(std::string_view(&c, 1))));
    }
  }
  return out;
}

}  // namespace observeai::agent::executor
