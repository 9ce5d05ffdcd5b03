#include "agent/executor/docker_recreate.h"

#include <algorithm>
#include <boost/json.hpp>

#include "agent/executor/docker_answers.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::size_t kShortIdLength = 12;
constexpr const char* kNew = "(new)";

std::string_view key_of(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// "/data//" -> "/data"
std::string clean_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

// Where "volume:/data:ro" goes; "" for an anonymous volume.
std::string bind_destination(std::string_view bind) {
  const std::size_t first = bind.find(':');
  if (first == std::string_view::npos) return {};
  const std::string_view rest = bind.substr(first + 1);
  return clean_path(rest.substr(0, rest.find(':')));
}

// HostConfig that mounts by name what the engine had given names to: what is made from it gets the same
// volumes.
json::object with_named_volumes(const json::object& inspect, const std::vector<std::string>& kept) {
  json::object host = object_at(inspect, "HostConfig");
  std::vector<std::string> named;
  json::array binds;
  for (const auto& bind : array_at(host, "Binds")) {
    const std::string destination = bind_destination(text_of(bind));
    if (destination.empty()) continue;
    named.push_back(destination);
    binds.push_back(bind);
  }
  json::array mounts;
  for (const auto& mount : array_at(host, "Mounts")) {
    if (!mount.is_object()) continue;
    const bool anonymous = text_at(mount.get_object(), "Type") == "volume" &&
                           text_at(mount.get_object(), "Source").empty();
    if (!anonymous) named.push_back(clean_path(text_at(mount.get_object(), "Target")));
    mounts.push_back(mount);
  }
  for (const auto& value : array_at(inspect, "Mounts")) {
    if (!value.is_object() || text_at(value.get_object(), "Type") != "volume") continue;
    const json::object& mount = value.get_object();
    const std::string destination = clean_path(text_at(mount, "Destination"));
    if (std::find(named.begin(), named.end(), destination) != named.end()) continue;
    if (std::find(kept.begin(), kept.end(), destination) == kept.end()) continue;
    auto asked = std::find_if(mounts.begin(), mounts.end(), [&](const json::value& one) {
      return clean_path(text_at(one.get_object(), "Target")) == destination;
    });
    if (asked == mounts.end()) {
      json::object made;
      made["Type"] = "volume";
      made["Target"] = destination;
      made["ReadOnly"] = !flag_at(mount, "RW");
      mounts.push_back(std::move(made));
      asked = mounts.end() - 1;
    }
    asked->get_object()["Source"] = text_at(mount, "Name");
  }
  host["Binds"] = std::move(binds);
  host["Mounts"] = std::move(mounts);
  return host;
}

json::array sorted(const json::array& list) {
  json::array out = list;
  std::sort(out.begin(), out.end(), [](const json::value& a, const json::value& b) {
    return canonical_json(a) < canonical_json(b);
  });
  return out;
}

// The engine says a container's host name itself in these.
bool has_own_host_name(const json::object& host) {
  const std::string_view network = text_at(host, "NetworkMode");
  return !begins_with(network, "container:") && network != "host" &&
         text_at(host, "UTSMode") != "host";
}

bool is_user_network(std::string_view mode) {
  return mode != "host" && mode != "none" && mode != "default" && mode != "bridge" &&
         !begins_with(mode, "container:");
}

json::object endpoint_settings(const json::object& endpoint, std::string_view own_alias) {
  json::object out;
  for (const char* key : {"IPAMConfig", "Links", "DriverOpts", "GwPriority"}) {
    const json::value* value = value_at(endpoint, key);
    if (value != nullptr && !value->is_null()) out[key] = *value;
  }
  json::array aliases;
  for (const auto& alias : array_at(endpoint, "Aliases")) {
    if (text_of(alias) != own_alias) aliases.push_back(alias);
  }
  if (!aliases.empty()) out["Aliases"] = std::move(aliases);
  return out;
}

void plan_networks(const json::object& inspect, json::object& body, Recreation& plan) {
  const std::string mode(text_at(object_at(inspect, "HostConfig"), "NetworkMode"));
  const std::string_view alias = text_at(inspect, "Id").substr(0, kShortIdLength);
  if (begins_with(mode, "container:")) return;  // It has no networks of its own
  bool joined = false;
  for (const auto& network : object_at(object_at(inspect, "NetworkSettings"), "Networks")) {
    if (!network.value().is_object()) continue;
    const json::object& endpoint = network.value().get_object();
    const std::string_view name = key_of(network);
    json::object settings = endpoint_settings(endpoint, alias);
    const bool first = name == mode || text_at(endpoint, "NetworkID") == mode ||
                       (mode == "default" && name == "bridge");
    if (!first) {
      plan.join.push_back({std::string(name), json::serialize(settings)});
      continue;
    }
    joined = true;
    if (!is_user_network(mode)) continue;
    json::object endpoints;
    endpoints[mode] = std::move(settings);
    body["NetworkingConfig"] = json::object{{"EndpointsConfig", std::move(endpoints)}};
  }
  if (!joined) plan.leave = mode == "default" ? "bridge" : mode;
}

// The volumes that the image asks for and that nothing is mounted upon yet.
void add_new_volumes(const json::object& config, const json::object& inspect,
                     std::vector<std::string>& destinations, json::object& expected) {
  const std::string_view driver = text_at(object_at(inspect, "HostConfig"), "VolumeDriver");
  json::array mounts = array_at(expected, "Mounts");
  for (const auto& member : object_at(config, "Volumes")) {
    const std::string destination = clean_path(key_of(member));
    if (std::find(destinations.begin(), destinations.end(), destination) != destinations.end()) {
      continue;
    }
    json::object mount;
    mount["Type"] = "volume";
    mount["Name"] = kNew;
    mount["Source"] = kNew;
    mount["Destination"] = destination;
    mount["Driver"] = driver.empty() ? std::string_view("local") : driver;
    mount["RW"] = true;
    mount["Propagation"] = "";
    mounts.push_back(std::move(mount));
    destinations.push_back(destination);
  }
  std::sort(mounts.begin(), mounts.end(), [](const json::value& a, const json::value& b) {
    return text_at(a.get_object(), "Destination") < text_at(b.get_object(), "Destination");
  });
  expected["Mounts"] = std::move(mounts);
}

// As comparable() shows a Config.
json::object comparable_config(json::object config, const json::object& inspect) {
  if (!has_own_host_name(object_at(inspect, "HostConfig"))) config.erase("Hostname");
  config["Env"] = sorted(array_at(config, "Env"));
  json::object shown = inspect;
  shown["Config"] = std::move(config);
  return object_at(configuration_of(shown), "Config");
}

}  // namespace

Result<Image> parse_image(std::string_view text) {
  TRY(json::object document, parse_object(text));
  Image out;
  out.id = std::string(text_at(document, "Id"));
  if (!is_image_id(out.id)) return Error(Errc::kCorrupt, "an image without an id");
  out.platform =
      std::string(text_at(document, "Os")) + "/" + std::string(text_at(document, "Architecture"));
  for (const char* key : {"RepoTags", "RepoDigests"}) {
    for (const auto& name : array_at(document, key)) out.names.emplace_back(text_of(name));
  }
  out.config = object_at(document, "Config");
  return out;
}

bool is_named(const Image& image, std::string_view given) {
  if (given == image.id) return true;
  std::string whole(given);
  const std::size_t slash = whole.rfind('/');
  const std::size_t colon = whole.find(':', slash == std::string::npos ? 0 : slash);
  if (colon == std::string::npos && whole.find('@') == std::string::npos) whole += ":latest";
  for (const std::string_view prefix : {"docker.io/library/", "docker.io/"}) {
    if (begins_with(whole, prefix)) {
      whole.erase(0, prefix.size());
      break;
    }
  }
  return std::find(image.names.begin(), image.names.end(), whole) != image.names.end();
}

std::vector<std::string> mount_destinations(const json::object& inspect) {
  std::vector<std::string> out;
  for (const auto& mount : array_at(inspect, "Mounts")) {
    if (mount.is_object()) out.push_back(clean_path(text_at(mount.get_object(), "Destination")));
  }
  return out;
}

json::object comparable(const json::object& inspect, const std::vector<std::string>& kept,
                        const std::string& command) {
  json::object named = inspect;
  named["HostConfig"] = with_named_volumes(inspect, kept);
  json::object out = configuration_of(named);
  json::object config = object_at(inspect, "Config");
  if (!command.empty() && text_at(object_at(config, "Labels"), kMadeByLabel) == command) {
    config["Labels"].as_object()[kMadeByLabel] = kThisCommand;
  }
  out["Config"] = comparable_config(std::move(config), inspect);
  json::object& host = out["HostConfig"].as_object();
  for (const char* key : {"Binds", "Mounts"}) {
    if (host.contains(key)) host[key] = sorted(array_at(host, key));
  }
  out["Image"] = text_at(inspect, "Image");
  json::array mounts;
  for (const auto& mount : array_at(out, "Mounts")) {
    json::object one = mount.get_object();
    const std::string destination = clean_path(text_at(one, "Destination"));
    if (std::find(kept.begin(), kept.end(), destination) == kept.end()) {
      one["Name"] = kNew;
      one["Source"] = kNew;
    }
    mounts.push_back(std::move(one));
  }
  out["Mounts"] = std::move(mounts);
  return out;
}

Result<Recreation> plan_recreation(const json::object& inspect, const Image& from, const Image& to,
                                   const std::string& image_name, const std::string& command) {
  const json::object& config = object_at(inspect, "Config");
  json::object user = user_config(config, from.config);
  if (comparable_config(merged_config(user, from.config), inspect) !=
      comparable_config(config, inspect)) {
    return Error(Errc::kUnavailable,
                 "what the container's user asked for cannot be told from what its image says");
  }
  user["Image"] = image_name;
  json::object labels = object_at(user, "Labels");
  labels[kMadeByLabel] = kThisCommand;
  labels[kReplacesLabel] = text_at(inspect, "Id");
  user["Labels"] = std::move(labels);
  std::vector<std::string> kept = mount_destinations(inspect);
  Recreation plan;
  plan.before = comparable(inspect, kept);
  plan.expected = plan.before;
  json::object expected = merged_config(user, to.config);
  plan.expected["Config"] = comparable_config(expected, inspect);
  plan.expected["Image"] = to.id;
  json::object body = user;
  body["Labels"].as_object()[kMadeByLabel] = command;
  if (text_at(user, "Hostname") == text_at(inspect, "Id").substr(0, kShortIdLength) ||
      !has_own_host_name(object_at(inspect, "HostConfig"))) {
    body.erase("Hostname");
  }
  body["HostConfig"] = with_named_volumes(inspect, kept);
  add_new_volumes(expected, inspect, kept, plan.expected);
  plan_networks(inspect, body, plan);
  plan.create = json::serialize(body);
  return plan;
}

}  // namespace observeai::agent::executor
