// Configuration files: one plain struct per program, described once, read and printed by the same
// description. Unknown keys are refused with the nearest known name; wrong types say what was
// wanted; every default is visible in what print() writes.
//
//   struct AgentConfig { std::string state_dir = "/var/lib/observeai"; ... };
//   void describe(AgentConfig& c, config::Schema& schema) {
//     schema.field("state_dir", c.state_dir, "where the spool and the identity are kept");
//     schema.section("metrics", "what is measured");
//     schema.field("interval", c.metrics_interval, "time between scrapes");
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::config {

// What a text must be beside a text; its error says it ("must be ...").
using Check = std::function<Result<void>(const std::string& text)>;
Result<void> not_empty(const std::string& text);

// Receives the description of a struct: fields belong to the section named last.
class Schema {
 public:
  virtual ~Schema() = default;
  virtual void section(std::string_view name, std::string_view comment) = 0;
  virtual void field(std::string_view name, std::string& value, std::string_view comment) = 0;
  virtual void field(std::string_view name, std::string& value, const Check& check,
                     std::string_view comment) = 0;
  virtual void field(std::string_view name, bool& value, std::string_view comment) = 0;
  // Integers of at least `least` and at most `most`.
  virtual void field(std::string_view name, std::uint64_t& value, std::uint64_t least,
                     std::uint64_t most, std::string_view comment) = 0;
  // Written as "10s", "15m".
  virtual void field(std::string_view name, std::chrono::milliseconds& value,
                     std::chrono::milliseconds least, std::chrono::milliseconds most,
                     std::string_view comment) = 0;
  virtual void field(std::string_view name, std::vector<std::string>& value,
                     std::string_view comment) = 0;
};

namespace detail {
using Describe = void (*)(void* config, Schema& schema);
Result<void> read_toml(std::string_view text, std::string_view source, void* config,
                       Describe describe);
std::string print_toml(void* config, Describe describe);
}  // namespace detail

// Overwrites the fields that `text` (TOML) sets; on error `config` may be half written. kInvalid:
// the message names `source`, the line, the key, and what would be right.
template <class Config>
Result<void> read_toml(std::string_view text, std::string_view source, Config& config) {
  return detail::read_toml(text, source, &config, [](void* c, Schema& schema) {
    describe(*static_cast<Config*>(c), schema);
  });
}

// The whole configuration as TOML with comments, defaults included; read_toml() accepts it.
template <class Config>
std::string print_toml(Config config) {
  return detail::print_toml(
      &config, [](void* c, Schema& schema) { describe(*static_cast<Config*>(c), schema); });
}

}  // namespace observeai::config
