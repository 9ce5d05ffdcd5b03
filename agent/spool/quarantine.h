// Moves a database that cannot be used out of the way, for a person to look at.
#pragma once

#include <string>

#include "protocol/base/result.h"

namespace observeai::agent {

// Moves spool.db and its side files to `directory`/spool.aside-<n>, n being above every one there;
// keeps the newest two such folders. Returns the folder.
Result<std::string> quarantine_spool(const std::string& directory);

}  // namespace observeai::agent
