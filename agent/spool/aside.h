// Moves what cannot be used out of the way, for a person to look at.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent {

// Moves files of `directory` (names; missing ones are fine) to `directory`/spool.aside-<n>, n being
// above every one there; keeps the newest two such folders. Returns the folder.
Result<std::string> put_aside(const std::string& directory, const std::vector<std::string>& names);

// A database with its log.
Result<std::string> put_database_aside(const std::string& directory, const std::string& name);

// The whole spool of `directory`, which nobody has open.
Result<std::string> quarantine_spool(const std::string& directory);

}  // namespace observeai::agent
