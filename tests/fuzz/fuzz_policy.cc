// A policy of the host's owner: never a crash, and whatever is accepted keeps the catalogue's minimums.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/executor/policy.h"
#include "protocol/actions/catalogue.h"

using namespace observeai;
using namespace observeai::agent::executor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto window = parse_window(text); window && window->days == 0) std::abort();
  const PolicyFile file{"fuzz.toml", text};
  const auto policy = parse_policy({&file, 1});
  if (!policy) {
    if (policy.error().message().empty()) std::abort();
    return 0;
  }
  for (std::size_t tier = 0; tier < kTiers; ++tier)
    if (policy->approvals[tier] < kMinimumApprovals[tier]) std::abort();
  for (const auto& manifest : actions::catalogue()) {
    const auto verdict =
        judge(*policy, manifest, "container/web", {{"container", text.substr(0, 16)}},
              wire::CommandMode::kExecute, 1'800'000'000'000);
    if (verdict.refused == nullptr && (!policy->enabled || manifest.tier > policy->max_tier))
      std::abort();
  }
  return 0;
}
