#include "agent/executor/docker_answers.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "protocol/actions/own_parts.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::string_view kDigestPrefix = "sha256:";

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Phase phase_of(std::string_view status) {
  if (status == "running" || status == "restarting") return Phase::kUp;
  if (status == "created" || status == "exited") return Phase::kDown;
  return status == "paused" ? Phase::kPaused : Phase::kOther;
}

std::string short_text(std::string_view text) {
  return text::escape_unprintable(text, kMaxNameBytes - 3);
}

void find_service(const json::object& labels, Container& container) {
  struct Scheme {
    std::string_view project;
    std::string_view service;
  };
  static constexpr Scheme kSchemes[] = {
      {"com.docker.compose.project", "com.docker.compose.service"},
      {"io.podman.compose.project", "io.podman.compose.service"},
      {"com.docker.stack.namespace", "com.docker.swarm.service.name"},
  };
  for (const auto& scheme : kSchemes) {
    const std::string_view service = text_at(labels, scheme.service);
    if (service.empty()) continue;
    container.service = short_text(service);
    container.project = short_text(text_at(labels, scheme.project));
    container.service_label = std::string(scheme.service) + "=" + std::string(service);
    return;
  }
}

bool holds_state(const json::array& mounts) {
  return std::any_of(mounts.begin(), mounts.end(), [](const json::value& mount) {
    if (!mount.is_object()) return false;
    const std::string_view type = text_at(mount.get_object(), "Type");
    return type == "volume" || (type == "bind" && flag_at(mount.get_object(), "RW"));
  });
}

bool is_part_of_us(const json::object& document, const Container& container) {
  if (actions::is_own_part(container.name) || actions::is_own_part(container.service) ||
      actions::is_own_part(container.project) ||
      actions::is_own_part(text_at(object_at(document, "Config"), "Image")) ||
      actions::is_own_part(text_at(document, "Path")))
    return true;
  const json::array& arguments = array_at(document, "Args");  // Behind tini or a shell
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const json::value& one) { return actions::is_own_part(text_of(one)); });
}

Result<Container> from_inspect(json::object document) {
  Container out;
  out.id = std::string(text_at(document, "Id"));
  if (!is_container_id(out.id)) return Error(Errc::kCorrupt, "a container without an id");
  std::string_view name = text_at(document, "Name");
  if (name.substr(0, 1) == "/") name.remove_prefix(1);
  if (!is_container_name(name)) return Error(Errc::kCorrupt, "a container without a usable name");
  out.name = std::string(name);
  out.image_id = std::string(text_at(document, "Image"));
  if (!is_image_id(out.image_id)) return Error(Errc::kCorrupt, "a container without an image id");
  const json::object& state = object_at(document, "State");
  out.status = short_text(text_at(state, "Status"));
  out.phase = phase_of(out.status);
  const std::string_view health = text_at(object_at(state, "Health"), "Status");
  if (health == "starting" || health == "healthy" || health == "unhealthy") {
    out.health = std::string(health);
  }
  out.started_at = short_text(text_at(state, "StartedAt"));
  out.exit_code = integer_at(state, "ExitCode");
  out.restarts =
      static_cast<std::uint64_t>(std::max<std::int64_t>(integer_at(document, "RestartCount"), 0));
  const json::object& host = object_at(document, "HostConfig");
  out.restart_policy = short_text(text_at(object_at(host, "RestartPolicy"), "Name"));
  if (out.restart_policy.empty()) out.restart_policy = "no";
  out.removed_when_stopped = flag_at(host, "AutoRemove");
  out.memory_bytes = integer_at(host, "Memory");
  out.memory_swap_bytes = integer_at(host, "MemorySwap");
  out.holds_state = holds_state(array_at(document, "Mounts"));
  find_service(object_at(object_at(document, "Config"), "Labels"), out);
  out.is_ours = is_part_of_us(document, out);
  out.configuration_hash =
      signing::sha256_hex(canonical_json(json::value(configuration_of(document))));
  out.document = std::move(document);
  return out;
}

Result<ListedContainer> from_entry(const json::value& value) {
  ListedContainer out;
  if (!value.is_object()) return Error(Errc::kCorrupt, "an entry that is no object");
  const json::object& entry = value.get_object();
  out.id = std::string(text_at(entry, "Id"));
  if (!is_container_id(out.id)) return Error(Errc::kCorrupt, "a container without an id");
  for (const auto& name : array_at(entry, "Names")) out.names.emplace_back(text_of(name));
  out.image_id = std::string(text_at(entry, "ImageID"));
  out.status = std::string(text_at(entry, "State"));
  out.network_mode = std::string(text_at(object_at(entry, "HostConfig"), "NetworkMode"));
  return out;
}

// "1.41" -> {1, 41}
using ApiNumbers = std::pair<std::uint64_t, std::uint64_t>;
std::optional<ApiNumbers> api_numbers(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || text.size() > 12) return std::nullopt;
  const auto major = text::parse_u64(text.substr(0, dot));
  const auto minor = text::parse_u64(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return ApiNumbers(*major, *minor);
}

}  // namespace

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kUp:
      return "up";
    case Phase::kDown:
      return "down";
    case Phase::kPaused:
      return "paused";
    case Phase::kOther:
      break;
  }
  return "other";
}

bool is_container_id(std::string_view text) {
  return text.size() == kIdLength && is_lower_hex(text);
}
bool is_image_id(std::string_view text) {
  return text.substr(0, kDigestPrefix.size()) == kDigestPrefix &&
         is_container_id(text.substr(kDigestPrefix.size()));
}

bool is_container_name(std::string_view text) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > kMaxNameBytes || !is_alphanumeric(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

Result<Container> parse_container(std::string_view text) {
  TRY(json::object document, parse_object(text));
  return from_inspect(std::move(document));
}

Result<std::vector<ListedContainer>> parse_containers(std::string_view text) {
  TRY(json::array entries, parse_array(text));
  std::vector<ListedContainer> out;
  out.reserve(entries.size());
  for (const auto& entry : entries) {
    TRY(auto container, from_entry(entry));
    out.push_back(std::move(container));
  }
  return out;
}

Result<std::string> parse_api_version(std::string_view text) {
  TRY(json::object version, parse_object(text));
  constexpr ApiNumbers kOurs{1, 41};
  const auto highest = api_numbers(text_at(version, "ApiVersion"));
  if (!highest) return Error(Errc::kCorrupt, "no ApiVersion in the answer");
  const auto lowest =
      api_numbers(text_at(version, "MinAPIVersion")).value_or(std::min(*highest, kOurs));
  const ApiNumbers chosen = std::max(std::min(*highest, kOurs), lowest);
  return std::to_string(chosen.first) + "." + std::to_string(chosen.second);
}

Result<bool> parse_swap_limit(std::string_view text) {
  TRY(json::object info, parse_object(text));
  return flag_at(info, "SwapLimit");
}

Result<std::uint64_t> parse_memory_use(std::string_view text) {
  TRY(json::object stats, parse_object(text));
  const json::object& memory = object_at(stats, "memory_stats");
  const std::int64_t usage = integer_at(memory, "usage");
  if (usage <= 0) return Error(Errc::kCorrupt, "no memory use in the answer");
  // cgroup v1 counts with children under total_, v2 has the plain name only.
  const json::object& parts = object_at(memory, "stats");
  const char* name =
      value_at(parts, "total_inactive_file") ? "total_inactive_file" : "inactive_file";
  const std::int64_t cache = std::clamp<std::int64_t>(integer_at(parts, name), 0, usage);
  return static_cast<std::uint64_t>(usage - cache);
}

}  // namespace observeai::agent::executor
