// Reading the API's answers without ceremony. A missing or wrongly typed member reads as empty: an
// older server must not crash a newer console. Foreign text is made safe for a terminal here, once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

// Two spaces of indentation, one member per line: for people who pass --json and look at it.
std::string pretty(const boost::json::value& value);

}  // namespace observeai::controlplane::cli
