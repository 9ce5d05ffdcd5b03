// Whether two names are of one person: who asks for something is a user of the control plane, who approves is
// named in the root metadata, and "Alice" who asks is "alice" who approves.
#pragma once

#include <string>
#include <string_view>

namespace observeai::signing {

// ASCII letters lower; everything else as it is.
std::string fold_person(std::string_view name);
inline bool is_same_person(std::string_view one, std::string_view other) {
  return fold_person(one) == fold_person(other);
}

}  // namespace observeai::signing
