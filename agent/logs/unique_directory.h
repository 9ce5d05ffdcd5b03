// An open directory that is closed with its owner.
#pragma once

#include <dirent.h>

#include <memory>

namespace observeai::agent {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using UniqueDirectory = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace observeai::agent
