// Opening without ever following a link: openat2(2) decides in the kernel, so nobody can swap a part of the
// path for a link between a check and the opening. kUnavailable before Linux 5.6: nothing is guessed.
#pragma once

#include <string>
#include <vector>

#include "agent/executor/unique_fd.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

// `path` is absolute. `flags` as open(2) without O_CREAT; O_CLOEXEC, O_NOFOLLOW and O_NONBLOCK are added.
// kNotFound; kDenied also for a link anywhere in it.
Result<UniqueFd> open_without_links(const std::string& path, int flags);
// The same below `folder`, never out of it and never onto another mount. `path` is relative.
Result<UniqueFd> open_beneath(int folder, const std::string& path, int flags);

// What is in an open folder, ascending. kLimit above 200,000 names.
Result<std::vector<std::string>> names_in(int folder);

}  // namespace observeai::agent::executor
