// The steps of replacing a container by another of its name, the way back, and what an interruption left.
//
// Which container is which is told by ids and by the label that the new one was made with, never by a name
// alone: a name is given by whoever likes to. Names are for people, and the last step back: while the old
// container has another name, its way back is not over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/executor/actions/docker_target.h"
#include "agent/executor/docker_recreate.h"

namespace observeai::agent::executor {

inline constexpr const char* kNeverRestart = R"({"Name":"no"})";

// What the old container is called meanwhile: "<name>.before-<12 digits of its id>".
std::string name_while_replaced(const std::string& name, const std::string& id);
// What it is called afterwards: stopped, never started by the engine, to be looked at or put back.
std::string name_when_kept(const std::string& name, const std::string& id);

Result<void> rename_container(DockerApi& api, const std::string& id, const std::string& name);
// {"Name":"always","MaximumRetryCount":0}
std::string restart_policy_json(const Container& container);
Result<void> set_restart_policy(DockerApi& api, const std::string& id, const std::string& policy);
// What the engine gives it to end before it kills it.
std::uint32_t stop_timeout_ms(const Container& container);
// Before its start: leaves and joins as planned.
Result<void> join_networks(DockerApi& api, const std::string& id, const Recreation& plan);

// The container that was there before.
struct Replaced {
  std::string id;
  std::string name;      // As it was and will be
  bool was_up = true;    // Start it
  std::string policy;    // restart_policy_json()
  std::string to_image;  // Id: what the new one is made from
};

// The container that `command` made in its place. Empty: there is none. kUnavailable: several claim it.
Result<std::optional<Container>> find_made(DockerApi& api, const Replaced& old,
                                           const std::string& command);

// Ends and removes the new container (`made`, "" when there is none) and gives the old one its state, policy
// and, last, its name back. Can be called again, from wherever it failed. Volumes without a name that only
// the new one has go with it when it never ran, else they stay: the sentence for people names them. kNotFound
// when the old one is gone: then nothing is done.
//
// `stop_asked`: the engine may still be ending the old one for somebody who waits no longer. Until the time
// for that is over, counted from the making of the new one, it is waited for, else the old one would go down
// after it was put back. kTimeout: the run's time is over before.
Result<std::string> put_back(DockerApi& api, const Replaced& old, const std::string& made,
                             bool stop_asked, const Run& run);

// Action::recover(): puts the old one back unless what took its place runs, was used since, or is nothing
// that `command` made; then the old one is kept aside for people. A sentence for them.
Result<std::string> recover_replaced(DockerApi& api, const Replaced& old, const Run& run);

}  // namespace observeai::agent::executor
