// The steps of replacing a container by another of its name, and the way back.
#pragma once

#include <string>

#include "agent/executor/actions/docker_target.h"
#include "agent/executor/docker_recreate.h"

namespace observeai::agent::executor {

inline constexpr const char* kNeverRestart = R"({"Name":"no"})";

Result<void> rename_container(DockerApi& api, const std::string& id, const std::string& name);
// {"Name":"always","MaximumRetryCount":0}
std::string restart_policy_json(const Container& container);
Result<void> set_restart_policy(DockerApi& api, const std::string& id, const std::string& policy);
// Before its start: leaves and joins as planned.
Result<void> join_networks(DockerApi& api, const std::string& id, const Recreation& plan);

// The container that was there before.
struct Replaced {
  std::string id;
  std::string name;    // As it was and will be
  bool was_up = true;  // Start it
  std::string policy;  // restart_policy_json(), or "" to leave it
};
// Ends and removes the new container (`made`, "" when there is none; with the volumes that only it has) and
// gives the old one its name, policy and state back. Can be called again, from wherever it failed. kNotFound
// when the old one is gone: then nothing is done.
Result<void> put_back(DockerApi& api, const Replaced& old, const std::string& made);

}  // namespace observeai::agent::executor
