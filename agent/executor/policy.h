// What the host's owner allows: policy.d/*.toml, which nothing of ours ever writes. All files together
// are one policy; a key is set in one of them only. Documented in docs/operations.md.
//
// Without a file, or without `enabled = true`: dry run of everything, nothing is executed.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/host.h"
#include "agent/executor/window.h"
#include "protocol/actions/manifest.h"
#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxPolicyFiles = 64;
inline constexpr std::size_t kMaxPolicyFileBytes = 256U << 10;
inline constexpr std::size_t kMaxAllowRules = 1024;
inline constexpr std::uint32_t kTiers = 3;
// Persons that the catalogue asks for, by tier: a policy may ask for more, never for fewer.
inline constexpr std::array<std::uint32_t, kTiers> kMinimumApprovals = {0, 1, 2};

struct Range {
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;
  std::vector<std::string> choices;  // As format_value() writes them; empty: any
};

struct AllowRule {
  std::string action;                // Of the catalogue
  std::vector<std::string> targets;  // glob_matches(); at least one
  std::map<std::string, Range> parameters;
  std::vector<Window> windows;  // Empty: always
  std::optional<std::chrono::milliseconds> cooldown;
  std::optional<std::uint32_t> max_per_hour;  // Of this action
};

struct Policy {
  bool enabled = false;
  std::uint32_t max_tier = 0;
  std::array<std::uint32_t, kTiers> approvals = kMinimumApprovals;
  std::uint32_t max_per_hour = 10;
  std::chrono::milliseconds cooldown = std::chrono::minutes(5);
  TimeZone zone = TimeZone::kUtc;
  std::vector<AllowRule> allow;
  SiteLists lists;
  wire::Digest hash{};  // Over the names and bytes of all files
};

struct PolicyFile {
  std::string name;  // Ascending
  std::string text;
};
// kInvalid names the file, the line, the key and what would be right. Pure.
Result<Policy> parse_policy(std::span<const PolicyFile> files);

// kDenied: GuardedFolder's reasons. A folder that is not there is an empty one.
Result<Policy> load_policy(const std::string& directory, uid_t owner);
// The file DISABLE_COMMANDS beside the folder; what cannot be looked at counts as there.
bool is_disabled(const std::string& policy_directory);
std::string kill_switch_path(const std::string& policy_directory);

// `*` stands for any characters but '/', `**` for any. Takes |pattern| x |text| steps. Pure.
bool glob_matches(std::string_view pattern, std::string_view text);

// What the policy says of one action with these parameters, actions::with_defaults(). What a rule limits
// must be among them. Pure.
struct Verdict {
  const char* refused = nullptr;  // wire::refusals: policy or window; null: allowed
  std::string message;
  std::chrono::milliseconds cooldown{};
  std::optional<std::uint32_t> max_per_hour;  // Of the action, beside the policy's own
};
Verdict judge(const Policy& policy, const actions::Manifest& manifest, const std::string& target,
              const wire::Parameters& parameters, wire::CommandMode mode, std::int64_t now_ms);

}  // namespace observeai::agent::executor
