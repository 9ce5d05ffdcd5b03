#include "agent/executor/policy.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/executor/guarded_folder.h"
#include "protocol/base/text.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

constexpr std::string_view kSuffix = ".toml";
constexpr std::size_t kMaxNames = 1024;

bool is_policy_name(const std::string& name) {
  return name.ends_with(kSuffix) && !name.starts_with(".");
}

Verdict refuse(const char* reason, std::string message) {
  Verdict verdict;
  verdict.refused = reason;
  verdict.message = std::move(message);
  return verdict;
}

// "" when it is within.
std::string out_of_range(const Range& range, const std::string& name,
                         const wire::ParameterValue& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  if ((range.min || range.max) && number == nullptr) return name + " is not a number";
  if (range.min && *number < *range.min) return name + " is below " + std::to_string(*range.min);
  if (range.max && *number > *range.max) return name + " is above " + std::to_string(*range.max);
  const auto& choices = range.choices;
  if (!choices.empty() &&
      std::find(choices.begin(), choices.end(), actions::format_value(value)) == choices.end())
    return name + " is not one of the policy's choices";
  return "";
}

std::string out_of_ranges(const AllowRule& rule, const wire::Parameters& parameters) {
  for (const auto& [name, range] : rule.parameters) {
    const auto value = parameters.find(name);
    if (value == parameters.end()) return name + " must be said, for the policy limits it";
    if (auto why = out_of_range(range, name, value->second); !why.empty()) return why;
  }
  return "";
}

bool names_target(const AllowRule& rule, const std::string& target) {
  return std::any_of(rule.targets.begin(), rule.targets.end(),
                     [&](const std::string& glob) { return glob_matches(glob, target); });
}

bool is_open_now(const AllowRule& rule, std::int64_t now_ms, TimeZone zone) {
  return rule.windows.empty() ||
         std::any_of(rule.windows.begin(), rule.windows.end(),
                     [&](const Window& window) { return is_open(window, now_ms, zone); });
}

}  // namespace

std::string kill_switch_path(const std::string& policy_directory) {
  std::string_view path = policy_directory;
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.find_last_of('/');
  const std::string parent =
      slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
  return parent + "/DISABLE_COMMANDS";
}

bool is_disabled(const std::string& policy_directory) {
  struct stat status {};
  if (::lstat(kill_switch_path(policy_directory).c_str(), &status) == 0) return true;
  return errno != ENOENT;
}

Result<Policy> load_policy(const std::string& directory, uid_t owner) {
  std::vector<PolicyFile> found;
  auto folder = GuardedFolder::open(directory, owner);
  if (!folder && folder.error().code() == Errc::kNotFound) return parse_policy(found);
  if (!folder) return std::move(folder).error();
  TRY(const auto names, folder->names(kMaxNames));
  for (const auto& name : names) {
    if (!is_policy_name(name)) continue;
    if (found.size() == kMaxPolicyFiles)
      return Error(Errc::kLimit,
                   directory + " holds more than " + std::to_string(kMaxPolicyFiles) + " policies");
    TRY(auto text, folder->read(name, kMaxPolicyFileBytes));
    found.push_back({name, std::move(text)});
  }
  return parse_policy(found);
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  // matched[n]: the pattern up to here fits the first n characters.
  std::vector<bool> matched(text.size() + 1, false);
  matched[0] = true;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] != '*') {
      for (std::size_t n = text.size(); n > 0; --n)
        matched[n] = matched[n - 1] && text[n - 1] == pattern[p];
      matched[0] = false;
      continue;
    }
    const bool wide = p + 1 < pattern.size() && pattern[p + 1] == '*';
    if (wide) ++p;
    for (std::size_t n = 1; n <= text.size(); ++n)
      matched[n] = matched[n] || (matched[n - 1] && (wide || text[n - 1] != '/'));
  }
  return matched[text.size()];
}

Verdict judge(const Policy& policy, const actions::Manifest& manifest, const std::string& target,
              const wire::Parameters& parameters, wire::CommandMode mode, std::int64_t now_ms) {
  const std::string action(manifest.name);
  if (!policy.enabled) {
    if (mode == wire::CommandMode::kDryRun) return {};
    return refuse(wire::refusals::kPolicy,
                  "this host's policy does not enable commands: set enabled = true in policy.d");
  }
  if (manifest.tier > policy.max_tier)
    return refuse(wire::refusals::kPolicy, action + " is of tier " + std::to_string(manifest.tier) +
                                               ", this host allows up to " +
                                               std::to_string(policy.max_tier));
  std::string why = "no rule allows " + action;
  bool closed = false;
  for (const auto& rule : policy.allow) {
    if (rule.action != action) continue;
    if (!names_target(rule, target)) {
      if (!closed) why = "no rule allows " + action + " of " + target;
      continue;
    }
    if (auto outside = out_of_ranges(rule, parameters); !outside.empty()) {
      if (!closed) why = action + " of " + target + ": " + outside;
      continue;
    }
    if (is_open_now(rule, now_ms, policy.zone)) {
      Verdict verdict;
      verdict.cooldown = rule.cooldown.value_or(policy.cooldown);
      verdict.max_per_hour = rule.max_per_hour;
      return verdict;
    }
    closed = true;
    why = action + " of " + target + " is allowed at other times only";
  }
  return refuse(closed ? wire::refusals::kWindow : wire::refusals::kPolicy, why);
}

}  // namespace observeai::agent::executor
