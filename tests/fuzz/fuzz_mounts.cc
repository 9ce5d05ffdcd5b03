// The kernel's mount table: its form is the kernel's, the names in it are anybody's.
#include <cstdint>
#include <string_view>

#include "agent/logs/remote_mounts.h"

namespace agent = observeai::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto mounts = agent::RemoteMounts::parse({reinterpret_cast<const char*>(data), size});
  for (const auto& point : mounts.points()) {
    if (!point.starts_with('/') || point == "/") __builtin_trap();
    if (agent::is_local_type(mounts.type_of(point))) __builtin_trap();
    const auto deepest = mounts.deepest(point + "/x");
    if (!deepest || deepest->size() < point.size()) __builtin_trap();
    if (!agent::RemoteMounts::leads_to(point + "/x", *deepest)) __builtin_trap();
  }
  return 0;
}
