// Names of facts in results: what the control plane's safety checks read (controlplane/plan/checks.h).
// Values are decimal numbers, "true"/"false", or texts.
#pragma once

namespace observeai::agent::executor::facts {

// Of a dry run: persons whose approval this host's policy wants for the action.
inline constexpr const char* kApprovalsNeeded = "approvals_needed";
inline constexpr const char* kHasVolumes = "has_volumes";  // Of a container: holds state
inline constexpr const char* kImageLocal = "image_local";  // The image to go to is here
inline constexpr const char* kKeys = "keys";  // That a cache has now, of those that would go
inline constexpr const char* kMemoryFree = "memory_free_bytes";  // Of the host
inline constexpr const char* kOpenFiles = "open_files";  // Of what would be removed, held open
inline constexpr const char* kProject = "project";       // Compose project
inline constexpr const char* kReplicas = "replicas";  // Of the same service, running, with this one
inline constexpr const char* kRestartPolicy = "restart_policy";  // "no", "always" ...
inline constexpr const char* kRestarts = "restarts";             // Of the target so far
inline constexpr const char* kService = "service";

}  // namespace observeai::agent::executor::facts
