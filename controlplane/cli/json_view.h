// Reading the API's answers without ceremony. A missing or wrongly typed member reads as empty: an
// older server must not crash a newer console. Foreign text is made safe for a terminal here, once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace observeai::controlplane::cli {

const boost::json::object& object_of(const boost::json::value& value);
const boost::json::object& object_at(const boost::json::object& object, const char* name);
const boost::json::array& array_at(const boost::json::object& object, const char* name);
// Printable; control characters as \xNN.
std::string text_at(const boost::json::object& object, const char* name);
// Exactly as sent: for files and further requests, never for a terminal.
std::string raw_text_at(const boost::json::object& object, const char* name);
std::optional<double> number_at(const boost::json::object& object, const char* name);
std::int64_t integer_at(const boost::json::object& object, const char* name);
bool flag_at(const boost::json::object& object, const char* name);
// Any foreign text, such as a member's name or an element of a list.
std::string printable(std::string_view text);
// The same for text of several lines of ours: line ends stay.
std::string printable_lines(std::string_view text);

// Two spaces of indentation, one member per line: for people who pass --json and look at it.
// Control characters are \u escapes here and in compact(): the same JSON, safe on a terminal.
std::string pretty(const boost::json::value& value);
std::string compact(const boost::json::value& value);  // On one line

}  // namespace observeai::controlplane::cli
