// Configuration files of both programs. What is accepted can be printed, and reads as the same.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/config/agent_config.h"
#include "controlplane/config/controlplane_config.h"

using namespace observeai;

namespace {

template <class Config>
void check(std::string_view text) {
  Config config;
  if (!config::read_toml(text, "fuzz", config)) return;
  const std::string printed = config::print_toml(config);
  Config again;
  if (!config::read_toml(printed, "printed", again)) std::abort();
  if (config::print_toml(again) != printed) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check<agent::AgentConfig>(text);
  check<controlplane::ControlPlaneConfig>(text);
  return 0;
}
