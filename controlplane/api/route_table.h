// Every endpoint in one place: method, path, the least role that may call it, its query parameters.
// tests/unit/controlplane/api holds it against openapi.yaml.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/api/api.h"
#include "controlplane/api/directory.h"
#include "controlplane/api/params.h"

namespace observeai::controlplane::api {

// All that a handler may use.
struct Call {
  const Request& request;
  const Dependencies& world;
  Params params;
  std::string path_argument;  // Of the one {…} in the path
  Identity identity;          // Empty for endpoints without a role
  std::int64_t now_ms = 0;
  Directory directory;
};
using Handler = Answer<Reply> (*)(Call& call);

struct Route {
  std::string_view method;
  std::string_view pattern;          // At most one segment is {name}
  std::optional<model::Role> needs;  // nullopt = anyone
  Handler handler;
  std::vector<std::string_view> parameters;  // Of the query
};

std::span<const Route> routes();

struct Matched {
  const Route* route;
  std::string path_argument;
};
// 404 with the nearest path, 405 with the methods that are allowed.
Answer<Matched> match(std::string_view method, std::string_view path);

}  // namespace observeai::controlplane::api
