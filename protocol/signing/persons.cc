#include "protocol/signing/persons.h"

namespace observeai::signing {

std::string fold_person(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace observeai::signing
