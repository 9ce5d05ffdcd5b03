// Paths that match a glob(7) pattern, with a say in what may be touched: glob(3) itself opens every
// folder on its way, and one on a dead mount keeps it for ever.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace observeai::agent {

// `may_touch` is asked for each folder before it is listed and for each file without wildcards
// before it is looked at. What cannot be listed has no matches. `*` does not match a leading point.
// Unsorted; `pattern` is absolute.
std::vector<std::string> expand_pattern(const std::string& pattern,
                                        const std::function<bool(const std::string&)>& may_touch);

}  // namespace observeai::agent
