// The same container once more, from another image. Pure.
//
// What the engine shows as a container's Config is what its user asked for, filled up with the image's own
// settings. To go to another image, the user's part is told apart (user_config), and the other image fills
// it up (merged_config, as the engine does it). A value that user and image agree on follows the image.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

// GET /images/<name>/json
struct Image {
  std::string id;                  // "sha256:..."
  std::string platform;            // "linux/amd64"
  std::vector<std::string> names;  // Tags and digests
  boost::json::object config;
};
Result<Image> parse_image(std::string_view json);
// Whether `given` is the image's whole id or one of its names ("web", "web:1.2", "repo/web@sha256:...");
// a short id is not.
bool is_named(const Image& image, std::string_view given);

boost::json::object user_config(const boost::json::object& config,
                                const boost::json::object& image_config);
boost::json::object merged_config(const boost::json::object& user,
                                  const boost::json::object& image_config);

// Labels of what is made in a container's place: by which command, and in place of which container.
inline constexpr const char* kMadeByLabel = "observeai.made_by";
inline constexpr const char* kReplacesLabel = "observeai.replaces";
// How comparable() shows the former, so that a dry run can tell it.
inline constexpr const char* kThisCommand = "this command";

struct Recreation {
  struct Network {
    std::string name;
    std::string endpoint;  // EndpointSettings, JSON
  };
  std::string create;  // Body of POST /containers/create
  std::string leave;   // A network that creating joins and that the container has left, or empty
  std::vector<Network> join;     // Before the start
  boost::json::object before;    // comparable() of the container that there is
  boost::json::object expected;  // comparable() of the one that will be
};
// `inspect` is of the container, `from` its image, `to` the one to go to, called `image_name` from then
// on; `command` makes it (kThisCommand for a dry run). kUnavailable when it cannot be made the same again.
Result<Recreation> plan_recreation(const boost::json::object& inspect, const Image& from,
                                   const Image& to, const std::string& image_name,
                                   const std::string& command = kThisCommand);

// configuration_of() with the image's id, anonymous volumes by their names, and without order where there
// is none. `kept`: destinations of mounts that were there before; the name of another volume is "(new)".
// `command`: the one whose mark is shown as kThisCommand.
boost::json::object comparable(const boost::json::object& inspect,
                               const std::vector<std::string>& kept,
                               const std::string& command = kThisCommand);
std::vector<std::string> mount_destinations(const boost::json::object& inspect);

// What differs, in words for people. Values of the environment are never shown.
std::vector<wire::Change> changes_between(const std::string& name,
                                          const boost::json::object& before,
                                          const boost::json::object& after);

}  // namespace observeai::agent::executor
