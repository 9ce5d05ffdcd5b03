#include "controlplane/cli/json_view.h"

#include <limits>

#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

void write_pretty(const json::value& value, std::string& out, std::size_t depth) {
  const std::string inner((depth + 1) * 2, ' ');
  const std::string outer(depth * 2, ' ');
  const auto write_members = [&](char open, char close, const auto& members,
                                 const auto& write_one) {
    if (members.empty()) {
      out += open;
      out += close;
      return;
    }
    out += open;
    bool first = true;
    for (const auto& member : members) {
      out += first ? "\n" : ",\n";
      first = false;
      out += inner;
      write_one(member);
    }
    out += "\n" + outer + close;
  };
  if (const auto* object = value.if_object()) {
    write_members('{', '}', *object, [&](const json::key_value_pair& member) {
      out += json::serialize(member.key()) + ": ";
      write_pretty(member.value(), out, depth + 1);
    });
  } else if (const auto* array = value.if_array()) {
    write_members('[', ']', *array,
                  [&](const json::value& member) { write_pretty(member, out, depth + 1); });
  } else {
    out += json::serialize(value);
  }
}

// JSON itself escapes what is below U+0020 only. DEL and the C1 controls (U+0080 to U+009F; U+009B
// begins an escape sequence) can stand in its strings alone, where \u00XX means the same.
std::string without_controls(std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool has_next = i + 1 < text.size();
    const auto next = static_cast<unsigned char>(has_next ? text[i + 1] : 0);
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      out.append("\\u00").append({kHex[next >> 4U], kHex[next & 15U]});
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

const json::object& object_of(const json::value& value) {
  static const json::object kEmpty;
  const auto* object = value.if_object();
  return object != nullptr ? *object : kEmpty;
}

const json::object& object_at(const json::object& object, const char* name) {
  static const json::object kEmpty;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->as_object() : kEmpty;
}

const json::array& array_at(const json::object& object, const char* name) {
  static const json::array kEmpty;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->as_array() : kEmpty;
}

std::string raw_text_at(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string printable(std::string_view text) {
  return text::escape_unprintable(text, std::numeric_limits<std::size_t>::max());
}

std::string printable_lines(std::string_view text) {
  std::string out;
  for (const auto line : text::split(text, '\n')) {
    if (!out.empty()) out += '\n';
    out += printable(line);
  }
  return out;
}

std::string text_at(const json::object& object, const char* name) {
  return printable(raw_text_at(object, name));
}

std::optional<double> number_at(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

std::int64_t integer_at(const json::object& object, const char* name) {
  const auto number = number_at(object, name);
  return number ? static_cast<std::int64_t>(*number) : 0;
}

bool flag_at(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::string pretty(const json::value& value) {
  std::string out;
  write_pretty(value, out, 0);
  return without_controls(out) + "\n";
}

std::string compact(const json::value& value) {
  return without_controls(json::serialize(value));
}

}  // namespace observeai::controlplane::cli
