#include "protocol/actions/own_parts.h"

#include <algorithm>
#include <array>

namespace observeai::actions {
namespace {

constexpr std::string_view kOurs = "observeai";
// Containers and images that are there to be acted on: of scripts/up --demo, and of the tests.
constexpr std::array<std::string_view, 2> kSamples{"observeai-demo", "observeai-test"};
// Wherever they stand in a name: compose calls a container "site-observeai-agent-1".
constexpr std::array<std::string_view, 4> kPrograms{"observeai-agent", "observeai-controlplane",
                                                    "observeai-executor", "observeai-signer"};

}  // namespace

bool is_own_part(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  if (name.starts_with(kOurs)) {
    return std::none_of(kSamples.begin(), kSamples.end(),
                        [&](std::string_view sample) { return name.starts_with(sample); });
  }
  return std::any_of(kPrograms.begin(), kPrograms.end(), [&](std::string_view program) {
    return name.find(program) != std::string_view::npos;
  });
}

}  // namespace observeai::actions
