// user_config() and merged_config(): as moby's daemon/commit.go fills up a configuration.
#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "agent/executor/docker_answers.h"
#include "agent/executor/docker_recreate.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

bool has(const json::object& object, std::string_view key) {
  const json::value* value = value_at(object, key);
  if (value == nullptr || value->is_null()) return false;
  if (value->is_array()) return !value->get_array().empty();
  if (value->is_object()) return !value->get_object().empty();
  if (value->is_string()) return !value->get_string().empty();
  return !value->is_number() || integer_at(object, key) != 0;
}

bool same(const json::object& one, const json::object& other, std::string_view key) {
  if (!has(one, key) || !has(other, key)) return has(one, key) == has(other, key);
  return *value_at(one, key) == *value_at(other, key);
}

std::string variable_of(std::string_view entry) {
  return std::string(entry.substr(0, entry.find('=')));
}

json::array without_entries(const json::array& all, const json::array& taken) {
  json::array out;
  for (const auto& entry : all) {
    if (std::find(taken.begin(), taken.end(), entry) == taken.end()) out.push_back(entry);
  }
  return out;
}

json::object without_members(const json::object& all, const json::object& taken) {
  json::object out;
  for (const auto& member : all) {
    const json::value* other = taken.if_contains(member.key());
    if (other == nullptr || *other != member.value()) out[member.key()] = member.value();
  }
  return out;
}

void fill_members(json::object& into, std::string_view key, const json::object& image) {
  if (object_at(image, key).empty()) return;
  json::object merged = object_at(into, key);
  for (const auto& member : object_at(image, key)) {
    if (!merged.contains(member.key())) merged[member.key()] = member.value();
  }
  into[key] = std::move(merged);
}

// Single values: "" or 0 takes the image's.
constexpr std::string_view kSingle[] = {"User", "WorkingDir", "StopSignal"};
constexpr std::string_view kMembers[] = {"ExposedPorts", "Labels", "Volumes"};

}  // namespace

json::object user_config(const json::object& config, const json::object& image) {
  json::object out = config;
  for (const auto key : kSingle) {
    if (same(config, image, key)) out.erase(key);
  }
  for (const auto key : kMembers) {
    if (has(config, key)) out[key] = without_members(object_at(config, key), object_at(image, key));
  }
  out["Env"] = without_entries(array_at(config, "Env"), array_at(image, "Env"));
  if (has(config, "Healthcheck")) {
    json::object check =
        without_members(object_at(config, "Healthcheck"), object_at(image, "Healthcheck"));
    if (check.empty()) {
      out.erase("Healthcheck");
    } else {
      out["Healthcheck"] = std::move(check);
    }
  }
  const bool same_command = same(config, image, "Cmd");
  if (same(config, image, "Entrypoint")) {
    // A command of one's own keeps the image's entrypoint. No command where the image has one means that
    // the entrypoint was given, which takes the image's command away.
    const bool taken_away = !has(config, "Cmd") && has(image, "Cmd");
    if (!taken_away) out.erase("Entrypoint");
    if (same_command) out.erase("Cmd");
  } else if (!has(config, "Entrypoint")) {
    out["Entrypoint"] = json::array{""};  // How one says "none"
  }
  return out;
}

json::object merged_config(const json::object& user, const json::object& image) {
  json::object out = user;
  for (const auto key : kSingle) {
    if (!has(out, key) && has(image, key)) out[key] = *value_at(image, key);
  }
  for (const auto key : kMembers) fill_members(out, key, image);
  json::array environment = array_at(user, "Env");
  std::set<std::string> set;
  for (const auto& entry : environment) set.insert(variable_of(text_of(entry)));
  for (const auto& entry : array_at(image, "Env")) {
    if (!set.contains(variable_of(text_of(entry)))) environment.push_back(entry);
  }
  out["Env"] = std::move(environment);
  if (has(image, "Healthcheck")) {
    json::object check = object_at(out, "Healthcheck");
    for (const auto& member : object_at(image, "Healthcheck")) {
      if (!has(check, {member.key().data(), member.key().size()})) {
        check[member.key()] = member.value();
      }
    }
    out["Healthcheck"] = std::move(check);
  }
  if (!has(user, "Entrypoint")) {
    if (!has(user, "Cmd") && has(image, "Cmd")) out["Cmd"] = *value_at(image, "Cmd");
    if (has(image, "Entrypoint")) out["Entrypoint"] = *value_at(image, "Entrypoint");
  } else if (out["Entrypoint"] == json::value(json::array{""})) {
    out.erase("Entrypoint");
  }
  return out;
}

}  // namespace observeai::agent::executor
