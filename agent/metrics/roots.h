// Where the host's trees are: the real ones, recorded ones in tests, or a host mounted into a
// container. No trailing slash.
#pragma once

#include <string>

namespace observeai::agent {

struct MetricRoots {
  std::string proc = "/proc";
  std::string sys = "/sys";
  std::string root;  // Before absolute paths such as /etc/os-release; "" is the real root
};

}  // namespace observeai::agent
