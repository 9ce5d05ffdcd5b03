#include <algorithm>
#include <boost/json.hpp>

#include "agent/executor/docker_answers.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::size_t kShortIdLength = 12;  // What the engine gives as host name and alias

bool is_empty(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::int64:
      return value.get_int64() == 0;
    case json::kind::uint64:
      return value.get_uint64() == 0;
    case json::kind::double_:
      return value.get_double() == 0;
    case json::kind::string:
      return value.get_string().empty();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
  }
  return false;
}

// Without empty members. Those of "Volumes" and "ExposedPorts" are empty objects whose key counts, and
// elements of lists count by their place.
json::value without_empty(const json::value& value) {
  if (value.is_array()) {
    json::array out;
    for (const auto& element : value.get_array()) out.push_back(without_empty(element));
    return out;
  }
  if (!value.is_object()) return value;
  json::object out;
  for (const auto& member : value.get_object()) {
    const bool keys_count =
        member.key() == "Volumes" || member.key() == "ExposedPorts" || member.key() == "Labels";
    json::value kept = keys_count ? member.value() : without_empty(member.value());
    if (!is_empty(kept)) out[member.key()] = std::move(kept);
  }
  return out;
}

json::array sorted_mounts(const json::array& mounts) {
  std::vector<std::pair<std::string, json::value>> sorted;
  for (const auto& mount : mounts) {
    if (!mount.is_object()) continue;
    json::object kept;
    // Not Mode: how it was asked for ("z", "") is in HostConfig.
    for (const char* key :
         {"Type", "Name", "Source", "Destination", "Driver", "RW", "Propagation"}) {
      if (const json::value* value = value_at(mount.get_object(), key)) kept[key] = *value;
    }
    sorted.emplace_back(text_at(mount.get_object(), "Destination"), std::move(kept));
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  json::array out;
  for (auto& mount : sorted) out.push_back(std::move(mount.second));
  return out;
}

json::array sorted_without(const json::array& names, std::string_view own) {
  std::vector<std::string> kept;
  for (const auto& name : names) {
    if (text_of(name) != own) kept.emplace_back(text_of(name));
  }
  std::sort(kept.begin(), kept.end());
  json::array out;
  for (const auto& name : kept) out.push_back(json::value(name));
  return out;
}

json::object networks_of(const json::object& inspect) {
  const std::string_view own = text_at(inspect, "Id").substr(0, kShortIdLength);
  json::object out;
  for (const auto& network : object_at(object_at(inspect, "NetworkSettings"), "Networks")) {
    if (!network.value().is_object()) continue;
    const json::object& endpoint = network.value().get_object();
    json::object kept;
    for (const char* key : {"IPAMConfig", "Links", "DriverOpts", "GwPriority"}) {
      const json::value* value = value_at(endpoint, key);
      if (value != nullptr) kept[key] = *value;
    }
    kept["Aliases"] = sorted_without(array_at(endpoint, "Aliases"), own);
    // Not the addresses that the engine chose: they change with each start. Never empty, so that a
    // network without settings counts too.
    json::value settings = without_empty(kept);
    settings.get_object()["attached"] = true;
    out[network.key()] = std::move(settings);
  }
  return out;
}

}  // namespace

json::object configuration_of(const json::object& inspect) {
  json::object config = object_at(inspect, "Config");
  // The engine's choice when nobody made one: the container's own short id.
  if (text_at(config, "Hostname") == text_at(inspect, "Id").substr(0, kShortIdLength)) {
    config.erase("Hostname");
  }
  json::object out;
  out["Name"] = text_at(inspect, "Name");
  out["Platform"] = text_at(inspect, "Platform");
  out["Config"] = without_empty(config);
  out["HostConfig"] = without_empty(object_at(inspect, "HostConfig"));
  out["Mounts"] = sorted_mounts(array_at(inspect, "Mounts"));
  out["Networks"] = networks_of(inspect);
  return out;
}

}  // namespace observeai::agent::executor
