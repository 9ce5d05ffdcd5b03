// Small words that every action needs: what was asked for, and the text of a state.
#pragma once

#include <map>
#include <string>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

// The parameter when it was given and is of this kind, else `fallback`.
template <class T>
T parameter(const wire::Parameters& parameters, const std::string& name, T fallback) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return fallback;
  const T* value = std::get_if<T>(&found->second);
  return value == nullptr ? fallback : *value;
}

// A parameter that has a default in the catalogue: it is there.
template <class T>
T parameter(const wire::Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  const T* value = found == parameters.end() ? nullptr : std::get_if<T>(&found->second);
  CHECK(value != nullptr);
  return *value;
}

// As Assessment::state wants it. A value cannot make a line of its own.
inline std::string state_text(const std::map<std::string, std::string>& facts) {
  std::string out;
  for (const auto& [name, value] : facts)
    out += name + "=" + text::escape_unprintable(value, value.size() * 4) + "\n";
  return out;
}

}  // namespace observeai::agent::executor
