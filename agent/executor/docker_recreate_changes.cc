#include <boost/json.hpp>
#include <map>
#include <optional>

#include "agent/executor/docker_answers.h"
#include "agent/executor/docker_recreate.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxShownBytes = 200;

using Values = std::map<std::string, std::string, std::less<>>;

std::string shown(const json::value& value) {
  const std::string text = value.is_string() ? std::string(text_of(value)) : canonical_json(value);
  return text::escape_unprintable(text, kMaxShownBytes);
}

Values members(const json::object& object) {
  Values out;
  for (const auto& member : object) {
    out[std::string(member.key().data(), member.key().size())] = shown(member.value());
  }
  return out;
}

Values variables(const json::object& config) {
  Values out;
  for (const auto& entry : array_at(config, "Env")) {
    const std::string_view text = text_of(entry);
    const std::size_t equals = text.find('=');
    out[std::string(text.substr(0, equals))] =
        std::string(equals == std::string_view::npos ? "" : text.substr(equals + 1));
  }
  return out;
}

Values mounts(const json::object& configuration) {
  Values out;
  for (const auto& mount : array_at(configuration, "Mounts")) {
    if (!mount.is_object()) continue;
    const std::string_view name = text_at(mount.get_object(), "Name");
    out[std::string(text_at(mount.get_object(), "Destination"))] =
        name.empty() ? canonical_json(mount) : "volume " + std::string(name);
  }
  return out;
}

class Comparison {
 public:
  explicit Comparison(const std::string& name) : suffix_(" of " + name) {}

  void add(const std::string& prefix, const Values& before, const Values& after,
           bool values_are_secret = false) {
    Values all = before;
    all.insert(after.begin(), after.end());
    for (const auto& [key, ignored] : all) {
      const auto from = before.find(key);
      const auto to = after.find(key);
      if (from != before.end() && to != after.end() && from->second == to->second) continue;
      const auto text = [&](const Values& values, Values::const_iterator found, const char* set) {
        if (found == values.end()) return std::string("not set");
        return values_are_secret ? std::string(set) : found->second;
      };
      const std::string what = text::escape_unprintable(prefix + key, kMaxShownBytes) + suffix_;
      const char* const set_after = from == before.end() ? "set" : "set to another value";
      out.push_back({what, text(before, from, "set"), text(after, to, set_after)});
    }
  }

  std::vector<wire::Change> out;

 private:
  const std::string suffix_;
};

}  // namespace

std::vector<wire::Change> changes_between(const std::string& name, const json::object& before,
                                          const json::object& after) {
  Comparison comparison(name);
  const auto without = [](json::object object, std::initializer_list<const char*> keys) {
    for (const char* key : keys) object.erase(key);
    return object;
  };
  const json::object& config_before = object_at(before, "Config");
  const json::object& config_after = object_at(after, "Config");
  comparison.add("", members(without(before, {"Config", "HostConfig", "Networks", "Mounts"})),
                 members(without(after, {"Config", "HostConfig", "Networks", "Mounts"})));
  comparison.add("Config.", members(without(config_before, {"Env", "Labels"})),
                 members(without(config_after, {"Env", "Labels"})));
  comparison.add("environment ", variables(config_before), variables(config_after), true);
  comparison.add("label ", members(object_at(config_before, "Labels")),
                 members(object_at(config_after, "Labels")));
  comparison.add("HostConfig.", members(object_at(before, "HostConfig")),
                 members(object_at(after, "HostConfig")));
  comparison.add("mount ", mounts(before), mounts(after));
  comparison.add("network ", members(object_at(before, "Networks")),
                 members(object_at(after, "Networks")));
  return std::move(comparison.out);
}

}  // namespace observeai::agent::executor
