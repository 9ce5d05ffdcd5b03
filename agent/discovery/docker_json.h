// What the Docker Engine API says, as our values. Pure functions over foreign bytes: a missing or
// odd field becomes its default, text and lists are cut at the limits below, and only what cannot
// be understood at all (no JSON object, no container id) is an error (kCorrupt).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/core/observed.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Takes secrets out of a text. Without one (empty function) command lines and label values are
// reported as "": nothing leaves the host unredacted. Environment variables are never read.
using RedactText = std::function<std::string(std::string_view)>;

inline constexpr std::size_t kMaxCommandBytes = 512;  // As promised by wire::ProcessGroup.
inline constexpr std::size_t kMaxNameBytes = 256;     // Names, images, drivers.
inline constexpr std::size_t kMaxLabels = 64;         // Kubernetes and compose use about 15.
inline constexpr std::size_t kMaxLabelValueBytes = 512;
inline constexpr std::size_t kMaxPorts = 128;          // A published range may be thousands.
inline constexpr std::size_t kMaxLogPathBytes = 4096;  // PATH_MAX

struct EngineVersion {
  std::string version;  // "20.10.24"
  std::string api;      // Highest API version of the server, "1.41"
  std::string min_api;  // Lowest one, "" when not said
};
Result<EngineVersion> parse_version(std::string_view json);

// The API version to speak: the lower of the server's and 1.41 (Docker 20.10), but not below what
// the server still accepts (Docker 29: 1.44).
std::string negotiated_api(const EngineVersion& server);

// One element of GET /containers/json. Its container has no pid, limits, log path, start and finish
// times; the exit code comes from the status text.
struct ListEntry {
  std::string id;
  std::uint64_t fingerprint = 0;               // Of what the list shows, without running times
  std::optional<ObservedContainer> container;  // Left out when `is_known` says so.
};
using IsKnown = std::function<bool(const std::string& id, std::uint64_t fingerprint)>;
Result<ListEntry> parse_list_entry(std::string_view json, const RedactText& redact,
                                   const IsKnown& is_known);

// GET /containers/<id>/json
Result<ObservedContainer> parse_inspect(std::string_view json, const RedactText& redact);

// Whether `path` is where an engine keeps the json-file log of this container: an absolute path to
// …/containers/<id>/<id>-json.log without detours. The agent may read any file of the host; whoever
// answers on the engine's socket must not be able to choose one.
bool is_container_log_path(std::string_view path, std::string_view id);

// One line of GET /events of type container.
struct DockerEvent {
  std::string action;  // create, start, die, oom, destroy, rename, health_status ... ("exec_…" too)
  std::string detail;  // What follows the colon: "healthy" of "health_status: healthy"
  std::int64_t ts_ns = 0;
  std::optional<std::int32_t> exit_code;  // Of die
  // From the event's attributes: id, name, image, labels, project, service. Enough for a record of
  // a container that is gone before it can be inspected.
  wire::Container container;
};
Result<DockerEvent> parse_event(std::string_view json, const RedactText& redact);

// "shop-web-2" and "shop_web_2" -> "shop-web", "shop_web": replicas of one service share a name.
// Only a separator with one to four digits goes; "redis7" and "web-v2" stay.
std::string service_from_name(std::string_view container_name);

}  // namespace observeai::agent
