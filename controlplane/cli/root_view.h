// Root metadata for people and for scripts.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include <boost/json/fwd.hpp>

#include "controlplane/cli/root_ceremony.h"
#include "controlplane/cli/terminal.h"

namespace observeai::controlplane::cli {

// Who may do what, what ends soon, and which signatures a draft lacks.
void print_folder(std::ostream& out, const Terminal& terminal, const RootFolder& folder,
                  std::int64_t now_ms);
boost::json::object folder_json(const RootFolder& folder, std::int64_t now_ms);
boost::json::object root_json(const signing::RootMetadata& root);
// What is to be said of a root that one key alone can change; "" for others.
std::string single_key_warning(std::uint64_t threshold, std::size_t keys);
// "in 59 days", and from 60, 30 and 7 days before: "ONLY 6 days left".
std::string time_left(std::int64_t end_ms, std::int64_t now_ms);

}  // namespace observeai::controlplane::cli
