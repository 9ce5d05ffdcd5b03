// What the Docker engine answers to the executor, as values. Pure functions over foreign bytes: what an
// action decides by must be there in its one form, else the answer is none (kCorrupt).
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent::executor {

// A container that ends and is started again and again by its restart policy is up: which of the two it
// is at this moment changes by itself.
enum class Phase : std::uint8_t {
  kUp = 1,    // running, restarting
  kDown = 2,  // created, exited
  kPaused = 3,
  kOther = 4,  // removing, dead, and what there may be one day
};
std::string_view to_string(Phase phase);  // "up", "down", "paused", "other"

struct Container {
  std::string id;        // 64 lower-case hex digits
  std::string name;      // [A-Za-z0-9][A-Za-z0-9_.-]{0,254}, without the engine's "/"
  std::string image_id;  // "sha256:" and 64 lower-case hex digits
  std::string status;    // The engine's word: "running", "exited" ...
  Phase phase = Phase::kOther;
  std::string health;      // "", "starting", "healthy", "unhealthy"
  std::string started_at;  // As the engine writes it
  std::int64_t exit_code = 0;
  std::uint64_t restarts = 0;  // By the restart policy, since it was last started by hand
  std::string restart_policy;  // "no", "always", "on-failure", "unless-stopped"
  bool removed_when_stopped = false;
  bool holds_state = false;            // Volumes, or files of the host that it may write
  std::int64_t memory_bytes = 0;       // Limit; 0: none
  std::int64_t memory_swap_bytes = 0;  // Memory and swap together; 0: not set, -1: no limit
  std::string project;                 // Of compose or swarm, or empty
  std::string service;
  std::string service_label;       // The label that names the service, as a filter "key=value"
  std::string configuration_hash;  // sha256 of configuration_of(), hex
  bool is_ours = false;            // A part of ObserveAI, by any of its names or what it runs
  boost::json::object document;    // All that the engine said
};
// GET /containers/<id>/json
Result<Container> parse_container(std::string_view json);

struct ListedContainer {
  std::string id;
  std::vector<std::string> names;  // With the engine's slashes: "/web", "/other/alias"
  std::string image_id;
  std::string status;
  std::string network_mode;
};
// GET /containers/json
Result<std::vector<ListedContainer>> parse_containers(std::string_view json);

// All that a container was asked to be and that does not change by itself: names, settings, mounts and the
// user's part of its networks. Empty values (null, "", [], {}, 0, false) are left out, so that two
// spellings of "not set" are the same.
boost::json::object configuration_of(const boost::json::object& inspect);

// JSON with its keys in order: equal values, equal text.
std::string canonical_json(const boost::json::value& value);

// GET /version: the API version to speak, "1.41": the lower of ours and the server's, but not below what
// the server still accepts.
Result<std::string> parse_api_version(std::string_view json);

// GET /info: whether swap can be limited here.
Result<bool> parse_swap_limit(std::string_view json);

// GET /containers/<id>/stats: memory in use without the page cache that can be given back.
Result<std::uint64_t> parse_memory_use(std::string_view json);

// The engine's own words for an error, made printable; "" when there are none.
std::string parse_message(std::string_view json);

bool is_container_id(std::string_view text);
bool is_image_id(std::string_view text);
bool is_container_name(std::string_view text);
// One segment of a path or one value of a query.
std::string percent_encoded(std::string_view text);

// Reading foreign JSON: what is missing or of another kind is empty.
Result<boost::json::object> parse_object(std::string_view json);
Result<boost::json::array> parse_array(std::string_view json);
const boost::json::object& object_at(const boost::json::object& object, std::string_view key);
const boost::json::array& array_at(const boost::json::object& object, std::string_view key);
const boost::json::value* value_at(const boost::json::object& object, std::string_view key);
std::string_view text_of(const boost::json::value& value);
std::string_view text_at(const boost::json::object& object, std::string_view key);
std::int64_t integer_at(const boost::json::object& object, std::string_view key);
bool flag_at(const boost::json::object& object, std::string_view key);

}  // namespace observeai::agent::executor
