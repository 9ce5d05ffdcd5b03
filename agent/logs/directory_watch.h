// inotify on folders. Single thread. Losing events is harmless: drain() says so, and the owner
// looks at everything again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logs/file_tail.h"
#include "protocol/base/result.h"

namespace observeai::agent {

class DirectoryWatch {
 public:
  DirectoryWatch();  // Without inotify (fd() is -1) every add() fails and polling remains

  int fd() const { return inotify_.get(); }  // Readable when there are events
  // The folder's number; the same for the same folder. kLimit: the user's watches are used up.
  Result<int> add(const std::string& folder);
  void remove(int watch);

  struct Change {
    int watch = 0;
    std::string name;    // In the folder
    bool named = false;  // Created, deleted or renamed; else: written to
    bool gone = false;   // The watch ended with its folder
  };
  // Everything waiting, up to a bound; true in `overflow` when the kernel dropped events.
  std::vector<Change> drain(bool& overflow);

 private:
  UniqueFd inotify_;
};

}  // namespace observeai::agent
