#include "protocol/actions/catalogue.h"

#include <algorithm>

namespace observeai::actions {
namespace {

constexpr ParameterSpec kContainer{
    "container", Kind::kText, Form::kContainer, true, 1, 255, "", "name or id of the container"};
constexpr ParameterSpec kStopTimeout{"stop_timeout_s",
                                     Kind::kInteger,
                                     Form::kNone,
                                     false,
                                     0,
                                     300,
                                     "s",
                                     "wait so long before the container is killed (10)",
                                     "10"};
constexpr ParameterSpec kUnit{
    "unit", Kind::kText, Form::kName, true,
    3,      255,         "",          "name of the unit with its suffix, nginx.service"};

constexpr ParameterSpec kDiagnostics[] = {
    {"container", Kind::kText, Form::kContainer, false, 1, 255, "", "look at this one closely"},
};
constexpr ParameterSpec kRestartContainer[] = {kContainer, kStopTimeout};
constexpr ParameterSpec kOneContainer[] = {kContainer};
constexpr ParameterSpec kUpdateMemory[] = {
    kContainer,
    {"memory_bytes", Kind::kInteger, Form::kNone, true, 6'291'456, 1LL << 44, "bytes",
     "the limit from then on"},
};
constexpr ParameterSpec kRollbackImage[] = {
    kContainer,
    {"image", Kind::kText, Form::kPrefix, true, 1, 256, "",
     "image to go back to: sha256:<id> or name:tag, present on the host"},
};
constexpr ParameterSpec kPrune[] = {
    {"build_cache", Kind::kFlag, Form::kNone, false, 0, 0, "", "the build cache too (false)",
     "false"},
    {"older_than_h", Kind::kInteger, Form::kNone, false, 0, 8760, "h", "only what is older (24)",
     "24"},
};
constexpr ParameterSpec kOneUnit[] = {kUnit};
constexpr ParameterSpec kTerminate[] = {
    {"kill_after_s", Kind::kInteger, Form::kNone, false, 0, 120, "s",
     "KILL when TERM did not help in this time (10); 0 = never", "10"},
    {"pid", Kind::kInteger, Form::kNone, true, 2, 4'194'304, "", "process id on the host"},
    {"start_ticks", Kind::kInteger, Form::kNone, true, 0, INT64_MAX, "",
     "field 22 of /proc/PID/stat: which process of this id"},
};
constexpr ParameterSpec kVacuumJournal[] = {
    {"keep_bytes", Kind::kInteger, Form::kNone, true, 8'388'608, 1LL << 44, "bytes",
     "archived journals are removed, oldest first, down to this"},
};
constexpr ParameterSpec kVacuumFiles[] = {
    {"directory", Kind::kText, Form::kPath, true, 1, 4095, "", "one that the policy lists"},
    {"older_than_h", Kind::kInteger, Form::kNone, true, 1, 87'600, "h",
     "only files older than this"},
    {"rotated_only", Kind::kFlag, Form::kNone, false, 0, 0, "",
     "only rotated logs: name.1, name.2.gz, name-20261101 (true)", "true"},
};
constexpr ParameterSpec kClearCache[] = {
    {"cache", Kind::kText, Form::kName, true, 1, 64, "", "one that the policy lists"},
    {"database", Kind::kInteger, Form::kNone, false, 0, 63, "", "number of the Redis database (0)",
     "0"},
    {"max_keys", Kind::kInteger, Form::kNone, false, 1, 10'000'000, "",
     "refuse when more would go (100000)", "100000"},
    {"prefix", Kind::kText, Form::kPrefix, true, 1, 256, "", "keys that begin with this"},
};
constexpr ParameterSpec kRunbookParameters[] = {
    {"runbook", Kind::kText, Form::kName, true, 1, 64, "", "one that the policy lists"},
};

constexpr Manifest kCatalogue[] = {
    {"collect.diagnostics", 2, 0, false, "host", "reads processes, memory, disks and one container",
     kDiagnostics},
    {"docker.restart", 2, 1, false, "container/{container}", "restarts a container",
     kRestartContainer},
    {"docker.start", 1, 1, true, "container/{container}", "starts a container that is stopped",
     kOneContainer},
    {"docker.stop", 2, 1, true, "container/{container}", "stops a container", kRestartContainer},
    {"docker.update_memory", 1, 1, true, "container/{container}",
     "changes a container's memory limit while it runs", kUpdateMemory},
    {"docker.rollback_image", 1, 2, true, "container/{container}",
     "recreates a container with an earlier image and the same configuration", kRollbackImage},
    {"docker.prune", 2, 2, false, "docker", "removes dangling images and the build cache", kPrune},
    {"systemd.restart", 1, 1, false, "unit/{unit}", "restarts a unit", kOneUnit},
    {"systemd.reset_failed", 1, 1, false, "unit/{unit}", "forgets a unit's failure", kOneUnit},
    {"process.terminate", 2, 2, false, "process/{pid}", "ends one process", kTerminate},
    {"disk.vacuum_journal", 1, 2, false, "journal", "removes old archived journal files",
     kVacuumJournal},
    {"disk.vacuum_files", 2, 2, false, "directory/{directory}",
     "removes old files from a directory that the policy lists", kVacuumFiles},
    {"cache.clear", 2, 2, false, "cache/{cache}", "removes a Redis cache's keys by prefix",
     kClearCache},
    {"runbook", 1, 2, false, "runbook/{runbook}", "runs an executable that the policy lists",
     kRunbookParameters},
};

}  // namespace

std::span<const Manifest> catalogue() {
  return kCatalogue;
}

const Manifest* find(std::string_view name) {
  const auto found = std::find_if(std::begin(kCatalogue), std::end(kCatalogue),
                                  [&](const Manifest& one) { return one.name == name; });
  return found == std::end(kCatalogue) ? nullptr : &*found;
}

}  // namespace observeai::actions
