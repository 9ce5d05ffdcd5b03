#include "agent/discovery/docker_json.h"

#include "agent/discovery/clip.h"
#include "agent/discovery/docker_fields.h"
#include "agent/discovery/secret_arguments.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

// ---- parts of a container ----------------------------------------------------------------------

bool is_container_id(std::string_view text) {
  if (text.size() != 64) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string one_of(std::string_view word, std::initializer_list<std::string_view> known,
                   std::string_view otherwise) {
  for (const auto candidate : known) {
    if (word == candidate) return std::string(word);
  }
  return std::string(otherwise);
}
std::string known_state(std::string_view word) {
  return one_of(word, {"created", "running", "paused", "restarting", "removing", "exited", "dead"},
                "unknown");
}
std::string known_health(std::string_view word) {
  return one_of(word, {"starting", "healthy", "unhealthy"}, "");
}

bool is_event_attribute(std::string_view key) {
  return key == "image" || key == "name" || key == "exitCode" || key == "signal" ||
         key == "execDuration" || key == "oldName" || key == "execID";
}

wire::Labels parse_labels(const json::object& labels, const RedactText& redact, bool from_event) {
  std::vector<std::pair<std::string_view, std::string_view>> found;
  for (const auto& [key, value] : labels) {
    const std::string_view name(key.data(), key.size());
    if (name.empty() || name.size() > kMaxNameBytes || !value.is_string()) continue;
    if (from_event && is_event_attribute(name)) continue;
    found.emplace_back(name, raw_text(value));
  }
  std::sort(found.begin(), found.end());
  if (found.size() > kMaxLabels) found.resize(kMaxLabels);
  wire::Labels out;
  out.reserve(found.size());
  for (const auto& [name, value] : found) {
    out.push_back({std::string(name), redacted_label(name, value, redact, kMaxLabelValueBytes)});
  }
  return out;
}

// Who the container works for, from the labels as they came (they are not secrets, and the reported
// ones may have been cut).
void derive_service(const json::object& labels, wire::Container& container) {
  struct Scheme {
    std::string_view project;
    std::string_view service;
  };
  static constexpr Scheme kSchemes[] = {
      {"com.docker.compose.project", "com.docker.compose.service"},
      {"io.podman.compose.project", "io.podman.compose.service"},
      {"com.docker.stack.namespace", "com.docker.swarm.service.name"},
      {"io.kubernetes.pod.namespace", "io.kubernetes.container.name"},
  };
  for (const auto& scheme : kSchemes) {
    container.service = text_at(labels, scheme.service);
    if (container.service.empty()) continue;
    container.project = text_at(labels, scheme.project);
    return;
  }
  container.service = service_from_name(container.name);
}

std::string without_slash(std::string_view name) {
  if (!name.empty() && name.front() == '/') name.remove_prefix(1);
  return clip_utf8(name, kMaxNameBytes);
}

void finish_ports(std::vector<wire::PortMapping>& ports) {
  const auto key = [](const wire::PortMapping& port) {
    return std::tie(port.protocol, port.container_port, port.host_port, port.host_address);
  };
  std::sort(ports.begin(), ports.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  if (ports.size() > kMaxPorts) ports.resize(kMaxPorts);
}

std::uint32_t port_number(std::string_view text) {
  const auto number = text::parse_u64(text);
  return number && *number <= 65535 ? static_cast<std::uint32_t>(*number) : 0;
}

// {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": null}
std::vector<wire::PortMapping> ports_of_inspect(const json::object& ports) {
  std::vector<wire::PortMapping> out;
  for (const auto& [key, bindings] : ports) {
    const std::string_view spec(key.data(), key.size());
    const std::size_t slash = spec.find('/');
    wire::PortMapping port;
    port.container_port = port_number(spec.substr(0, slash));
    if (port.container_port == 0) continue;
    port.protocol = slash == std::string_view::npos
                        ? "tcp"
                        : one_of(spec.substr(slash + 1), {"tcp", "udp", "sctp"}, "tcp");
    if (!bindings.is_array() || bindings.get_array().empty()) {
      out.push_back(port);
      continue;
    }
    for (const auto& binding : bindings.get_array()) {
      if (!binding.is_object()) continue;
      port.host_address = text_at(binding.get_object(), "HostIp");
      port.host_port = port_number(raw_text_at(binding.get_object(), "HostPort"));
      out.push_back(port);
    }
  }
  finish_ports(out);
  return out;
}

// [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]
std::vector<wire::PortMapping> ports_of_list(const json::array& ports) {
  std::vector<wire::PortMapping> out;
  for (const auto& item : ports) {
    if (!item.is_object()) continue;
    const json::object& entry = item.get_object();
    const std::uint64_t inside = u64_at(entry, "PrivatePort");
    const std::uint64_t outside = u64_at(entry, "PublicPort");
    if (inside == 0 || inside > 65535 || outside > 65535) continue;
    wire::PortMapping port;
    port.protocol = one_of(raw_text_at(entry, "Type"), {"tcp", "udp", "sctp"}, "tcp");
    port.container_port = u32_of(inside);
    port.host_port = u32_of(outside);
    port.host_address = text_at(entry, "IP");
    out.push_back(std::move(port));
  }
  finish_ports(out);
  return out;
}

// "Exited (137) 21 seconds ago" -> 137
std::int32_t exit_code_of_status(std::string_view status) {
  if (status.substr(0, 8) != "Exited (") return 0;
  const auto code = text::parse_i64(status.substr(8, status.find(')') - 8));
  return code && *code >= -1 && *code <= 255 ? static_cast<std::int32_t>(*code) : 0;
}

std::string health_of_status(std::string_view status) {
  if (status.find("(healthy)") != std::string_view::npos) return "healthy";
  if (status.find("(unhealthy)") != std::string_view::npos) return "unhealthy";
  if (status.find("(health: starting)") != std::string_view::npos) return "starting";
  return {};
}

void parse_limits(const json::object& host_config, wire::Container& container) {
  container.memory_limit_bytes = u64_at(host_config, "Memory");
  const std::int64_t nano_cpus = i64_at(host_config, "NanoCpus");
  const std::int64_t quota = i64_at(host_config, "CpuQuota");
  const std::int64_t period = i64_at(host_config, "CpuPeriod");
  if (nano_cpus > 0) {
    container.cpu_limit_cores = static_cast<double>(nano_cpus) / 1e9;
  } else if (quota > 0) {
    constexpr std::int64_t kDefaultPeriodUs = 100'000;
    container.cpu_limit_cores =
        static_cast<double>(quota) / static_cast<double>(period > 0 ? period : kDefaultPeriodUs);
  }
  container.pids_limit = u64_at(host_config, "PidsLimit");  // -1 and null: none
}

std::string command_of(const json::object& inspect, const RedactText& redact) {
  std::vector<std::string_view> arguments{raw_text_at(inspect, "Path")};
  for (const auto& argument : array_at(inspect, "Args")) arguments.push_back(raw_text(argument));
  return redacted_command(arguments, redact, kMaxCommandBytes);
}

// FNV-1a, each part ended by a byte that no UTF-8 text has.
class Fingerprint {
 public:
  void add(std::string_view part) {
    for (const char c : part) mix(static_cast<unsigned char>(c));
    mix(0xFF);
  }
  void add(const json::value& value) { add(json::serialize(value)); }
  std::uint64_t value() const { return hash_; }

 private:
  void mix(unsigned char byte) { hash_ = (hash_ ^ byte) * 1099511628211ULL; }
  std::uint64_t hash_ = 14695981039346656037ULL;
};

// What changes when something about the container does; not the "Up 3 minutes" of its status.
std::uint64_t fingerprint_of(const json::object& entry) {
  Fingerprint print;
  for (const std::string_view key : {"State", "Image", "ImageID"})
    print.add(raw_text_at(entry, key));
  print.add(health_of_status(raw_text_at(entry, "Status")));
  for (const std::string_view key : {"Names", "Ports", "Labels"}) {
    if (const json::value* value = find(entry, key)) print.add(*value);
  }
  return print.value();
}

ObservedContainer from_list_entry(const json::object& entry, const RedactText& redact) {
  ObservedContainer out;
  wire::Container& container = out.facts;
  container.id = std::string(raw_text_at(entry, "Id"));
  // A container has several names when others link to it ("/web/db"); its own has one slash.
  for (const auto& name : array_at(entry, "Names")) {
    const std::string_view raw = raw_text(name);
    if (container.name.empty() || raw.rfind('/') == 0) container.name = without_slash(raw);
  }
  container.runtime = "docker";
  container.image = text_at(entry, "Image");
  container.image_id = text_at(entry, "ImageID");
  container.state = known_state(raw_text_at(entry, "State"));
  const std::string_view status = raw_text_at(entry, "Status");
  container.health = health_of_status(status);
  container.exit_code = exit_code_of_status(status);
  container.command = redacted_command({raw_text_at(entry, "Command")}, redact, kMaxCommandBytes);
  const std::int64_t created_s = i64_at(entry, "Created");
  constexpr std::int64_t kYear2200 = 7'258'118'400;
  container.created_ms = created_s > 0 && created_s < kYear2200 ? created_s * 1000 : 0;
  container.ports = ports_of_list(array_at(entry, "Ports"));
  container.labels = parse_labels(object_at(entry, "Labels"), redact, false);
  derive_service(object_at(entry, "Labels"), container);
  return out;
}

Result<ObservedContainer> from_inspect(const json::object& inspect, const RedactText& redact) {
  ObservedContainer out;
  wire::Container& container = out.facts;
  container.id = std::string(raw_text_at(inspect, "Id"));
  if (!is_container_id(container.id)) return Error(Errc::kCorrupt, "container without an id");
  const json::object& config = object_at(inspect, "Config");
  const json::object& state = object_at(inspect, "State");
  const json::object& host_config = object_at(inspect, "HostConfig");
  container.name = without_slash(raw_text_at(inspect, "Name"));
  container.runtime = "docker";
  container.image = text_at(config, "Image");
  container.image_id = text_at(inspect, "Image");
  container.state = known_state(raw_text_at(state, "Status"));
  container.health = known_health(raw_text_at(object_at(state, "Health"), "Status"));
  container.command = command_of(inspect, redact);
  container.created_ms = time_ms_at(inspect, "Created");
  container.started_ms = time_ms_at(state, "StartedAt");
  container.finished_ms = time_ms_at(state, "FinishedAt");
  const std::int64_t code = i64_at(state, "ExitCode");
  container.exit_code = code >= -1 && code <= 0xFFFF'FFFFLL ? static_cast<std::int32_t>(code) : 0;
  container.oom_killed = bool_at(state, "OOMKilled");
  container.restart_count = u32_of(u64_at(inspect, "RestartCount"));
  container.pid = u32_of(u64_at(state, "Pid"));
  parse_limits(host_config, container);
  const json::object& log = object_at(host_config, "LogConfig");
  container.log_driver = text_at(log, "Type");
  if (container.log_driver == "json-file") {
    const std::string_view path = raw_text_at(inspect, "LogPath");
    if (path.size() <= kMaxLogPathBytes) out.log_path = std::string(path);
  }
  container.ports = ports_of_inspect(object_at(object_at(inspect, "NetworkSettings"), "Ports"));
  container.labels = parse_labels(object_at(config, "Labels"), redact, false);
  derive_service(object_at(config, "Labels"), container);
  return out;
}

std::int64_t event_time_ns(const json::object& event) {
  const std::int64_t ns = i64_at(event, "timeNano");
  if (ns > 0) return ns;
  const std::int64_t seconds = i64_at(event, "time");
  return seconds > 0 && seconds < INT64_MAX / 1'000'000'000 ? seconds * 1'000'000'000 : 0;
}

Result<DockerEvent> from_event(const json::object& event, const RedactText& redact) {
  const std::string_view type = raw_text_at(event, "Type");
  if (!type.empty() && type != "container") {
    return Error(Errc::kCorrupt, "an event that is not about a container");
  }
  DockerEvent out;
  std::string_view action = raw_text_at(event, "Action");
  if (action.empty()) action = raw_text_at(event, "status");
  const std::size_t colon = action.find(':');
  out.action = clip_utf8(action.substr(0, colon), kMaxNameBytes);
  // What follows exec_create is a command line: not collected.
  if (colon != std::string_view::npos && out.action == "health_status") {
    out.detail = known_health(text::trim(action.substr(colon + 1)));
  }
  const json::object& actor = object_at(event, "Actor");
  const json::object& attributes = object_at(actor, "Attributes");
  std::string_view id = raw_text_at(actor, "ID");
  if (id.empty()) id = raw_text_at(event, "id");
  if (!is_container_id(id)) return Error(Errc::kCorrupt, "event without a container id");
  out.ts_ns = event_time_ns(event);
  const auto code = text::parse_i64(raw_text_at(attributes, "exitCode"));
  if (code && *code >= INT32_MIN && *code <= INT32_MAX) {
    out.exit_code = static_cast<std::int32_t>(*code);
  }
  out.container.id = std::string(id);
  out.container.runtime = "docker";
  out.container.name = without_slash(raw_text_at(attributes, "name"));
  out.container.image = text_at(attributes, "image");
  out.container.labels = parse_labels(attributes, redact, true);
  derive_service(attributes, out.container);
  return out;
}

// "1.41" -> {1, 41}
std::optional<std::pair<std::uint64_t, std::uint64_t>> api_numbers(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || text.size() > 12) return std::nullopt;
  const auto major = text::parse_u64(text.substr(0, dot));
  const auto minor = text::parse_u64(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return std::pair(*major, *minor);
}

Result<EngineVersion> from_version(const json::object& version) {
  EngineVersion out;
  out.version = clip_utf8(raw_text_at(version, "Version"), 64);
  out.api = text_at(version, "ApiVersion");
  out.min_api = text_at(version, "MinAPIVersion");
  if (!api_numbers(out.api)) return Error(Errc::kCorrupt, "no ApiVersion in the answer");
  if (!api_numbers(out.min_api)) out.min_api.clear();
  return out;
}

}  // namespace

Result<EngineVersion> parse_version(std::string_view text) {
  return with_object<EngineVersion>(text, from_version);
}

std::string negotiated_api(const EngineVersion& server) {
  constexpr std::pair<std::uint64_t, std::uint64_t> kOurs{1, 41};
  const auto highest = api_numbers(server.api).value_or(kOurs);
  const auto lowest = api_numbers(server.min_api).value_or(std::min(highest, kOurs));
  const auto chosen = std::max(std::min(highest, kOurs), lowest);
  return std::to_string(chosen.first) + "." + std::to_string(chosen.second);
}

Result<ListEntry> parse_list_entry(std::string_view text, const RedactText& redact,
                                   const IsKnown& is_known) {
  return with_object<ListEntry>(text, [&](const json::object& entry) -> Result<ListEntry> {
    ListEntry out;
    out.id = std::string(raw_text_at(entry, "Id"));
    if (!is_container_id(out.id)) return Error(Errc::kCorrupt, "container without an id");
    out.fingerprint = fingerprint_of(entry);
    if (!is_known || !is_known(out.id, out.fingerprint)) {
      out.container = from_list_entry(entry, redact);
    }
    return out;
  });
}

Result<ObservedContainer> parse_inspect(std::string_view text, const RedactText& redact) {
  return with_object<ObservedContainer>(
      text, [&](const json::object& object) { return from_inspect(object, redact); });
}

bool is_container_log_path(std::string_view path, std::string_view id) {
  if (path.empty() || path.front() != '/' || !is_container_id(id)) return false;
  // A control character would let two paths look the same in a message.
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return false;
  }
  const auto parts = text::split(path.substr(1), '/');
  const auto is_detour = [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  };
  const auto n = parts.size();
  return n >= 3 && std::none_of(parts.begin(), parts.end(), is_detour) &&
         parts[n - 3] == "containers" && parts[n - 2] == id &&
         parts[n - 1] == std::string(id) + "-json.log";
}

Result<DockerEvent> parse_event(std::string_view text, const RedactText& redact) {
  return with_object<DockerEvent>(
      text, [&](const json::object& object) { return from_event(object, redact); });
}

std::string service_from_name(std::string_view name) {
  std::size_t digits = 0;
  while (digits < name.size() && name[name.size() - 1 - digits] >= '0' &&
         name[name.size() - 1 - digits] <= '9') {
    ++digits;
  }
  if (digits == 0 || digits > 4 || digits + 2 > name.size()) return std::string(name);
  const char separator = name[name.size() - 1 - digits];
  if (separator != '-' && separator != '_' && separator != '.') return std::string(name);
  return std::string(name.substr(0, name.size() - 1 - digits));
}

}  // namespace observeai::agent
