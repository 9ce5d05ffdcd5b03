// parse_policy(): TOML -> Policy.
#include <algorithm>
#include <set>

#include "agent/executor/policy.h"
#include "agent/executor/toml_table.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent::executor {
namespace {

constexpr std::chrono::milliseconds kMaxCooldown = std::chrono::hours(24 * 30);
constexpr std::int64_t kMaxPerHour = 10'000;
constexpr std::int64_t kMaxPersons = 8;  // What one command can carry
constexpr std::size_t kMaxNameBytes = 64;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

// How commands name caches and runbooks: actions::Form::kName.
bool is_site_name(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= kMaxNameBytes && plain(text.front()) &&
         std::all_of(text.begin(), text.end(), [&plain](char c) {
           return plain(c) || c == '_' || c == '.' || c == '@' || c == ':' || c == '-';
         });
}

bool is_absolute_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos)
    return false;
  if (path == "/") return true;
  for (const auto part : text::split(path.substr(1), '/'))
    if (part.empty() || part == "." || part == "..") return false;
  return true;
}

Result<std::string> wanted_text(TomlTable& table, std::string_view key) {
  TRY(auto value, table.text(key));
  if (!value) return table.wrong(key, "is missing");
  return std::move(*value);
}

Result<std::string> wanted_path(TomlTable& table, std::string_view key) {
  TRY(auto path, wanted_text(table, key));
  if (!is_absolute_path(path))
    return table.wrong(key, "must be an absolute path without \"//\", \".\" and \"..\"");
  return path;
}

Result<Range> read_range(TomlTable table) {
  Range range;
  TRY(range.min, table.integer("min", INT64_MIN, INT64_MAX));
  TRY(range.max, table.integer("max", INT64_MIN, INT64_MAX));
  TRY(range.choices, table.texts("choices"));
  if (table.has("choices") && range.choices.empty())
    return table.wrong("choices", "must not be empty");
  TRY_VOID(table.finish());
  return range;
}

Result<const actions::Manifest*> known_action(const TomlTable& table, const std::string& name) {
  if (const auto* manifest = actions::find(name)) return manifest;
  std::vector<std::string> names;
  for (const auto& one : actions::catalogue()) names.emplace_back(one.name);
  const auto near = text::nearest(name, names);
  return table.wrong("action", "is not in the catalogue" +
                                   (near ? "; did you mean \"" + *near + "\"?" : std::string()));
}

Result<void> read_parameters(TomlTable& rule, const actions::Manifest& manifest, AllowRule& out) {
  TRY(auto parameters, rule.table("parameters"));
  if (!parameters) return {};
  TRY(auto ranges, parameters->named_tables());
  for (auto& [key, table] : ranges) {
    const std::string& name = key;
    const bool known = std::any_of(manifest.parameters.begin(), manifest.parameters.end(),
                                   [&](const auto& spec) { return spec.name == name; });
    const bool own = manifest.name == actions::kRunbook && is_name(name);
    if (!known && !own)
      return parameters->wrong(name, "is not a parameter of " + std::string(manifest.name));
    TRY(out.parameters[name], read_range(table));
  }
  return {};
}

Result<AllowRule> read_rule(TomlTable table) {
  AllowRule rule;
  TRY(rule.action, wanted_text(table, "action"));
  TRY(const auto* manifest, known_action(table, rule.action));
  TRY(rule.targets, table.texts("targets"));
  if (rule.targets.empty())
    return table.wrong("targets",
                       "must name at least one, such as \"container/web-*\"; all of them"
                       " are \"**\"");
  TRY(const auto windows, table.texts("windows"));
  for (const auto& text : windows) {
    auto window = parse_window(text);
    if (!window) return table.wrong("windows", window.error().message());
    rule.windows.push_back(*window);
  }
  if (table.has("windows") && windows.empty()) return table.wrong("windows", "must not be empty");
  TRY(rule.cooldown, table.duration("cooldown", kMaxCooldown));
  TRY(const auto rate, table.integer("max_per_hour", 0, kMaxPerHour));
  if (rate) rule.max_per_hour = static_cast<std::uint32_t>(*rate);
  TRY_VOID(read_parameters(table, *manifest, rule));
  TRY_VOID(table.finish());
  return rule;
}

Result<SiteLists::Redis> read_cache(TomlTable table) {
  SiteLists::Redis cache;
  TRY(cache.address, wanted_text(table, "address"));
  TRY(cache.prefixes, table.texts("prefixes"));
  if (cache.prefixes.empty()) return table.wrong("prefixes", "must name at least one");
  if (table.has("password_file")) {
    TRY(cache.password_file, wanted_path(table, "password_file"));
  }
  TRY_VOID(table.finish());
  return cache;
}

Result<SiteLists::RunbookParameter> read_runbook_parameter(TomlTable table) {
  SiteLists::RunbookParameter parameter;
  TRY(parameter.name, wanted_text(table, "name"));
  if (!is_name(parameter.name)) return table.wrong("name", "must match [a-z0-9_]{1,64}");
  TRY(const auto integer, table.flag("integer"));
  TRY(const auto required, table.flag("required"));
  TRY(const auto min, table.integer("min", INT64_MIN, INT64_MAX));
  TRY(const auto max, table.integer("max", INT64_MIN, INT64_MAX));
  TRY(parameter.choices, table.texts("choices"));
  parameter.integer = integer.value_or(false);
  parameter.required = required.value_or(true);
  if (parameter.integer) {
    if (!min || !max || *min > *max)
      return table.wrong("name", "is an integer: min and max are wanted");
    if (!parameter.choices.empty()) return table.wrong("choices", "are for texts");
    parameter.min = *min;
    parameter.max = *max;
  } else if (parameter.choices.empty() || min || max) {
    return table.wrong("name", "is a text: choices are wanted, and neither min nor max");
  }
  TRY_VOID(table.finish());
  return parameter;
}

Result<SiteLists::Runbook> read_runbook(TomlTable table) {
  constexpr std::size_t kHashDigits = 64;
  SiteLists::Runbook runbook;
  TRY(runbook.path, wanted_path(table, "path"));
  TRY(runbook.sha256, wanted_text(table, "sha256"));
  const auto hash = text::from_hex(runbook.sha256);
  const bool upper = std::any_of(runbook.sha256.begin(), runbook.sha256.end(),
                                 [](char c) { return c >= 'A' && c <= 'F'; });
  if (!hash || runbook.sha256.size() != kHashDigits || upper)
    return table.wrong("sha256",
                       "must be 64 lower-case hex digits (sha256sum " + runbook.path + ")");
  TRY(auto summary, table.text("summary"));
  TRY(const auto quiet, table.flag("changes_nothing"));
  TRY(const auto parameters, table.tables("parameter"));
  runbook.summary = std::move(summary).value_or("");
  runbook.changes_nothing = quiet.value_or(false);
  for (const auto& one : parameters) {
    TRY(auto parameter, read_runbook_parameter(one));
    if (parameter.name == actions::kRunbook)
      return table.wrong("parameter", "must not be \"runbook\"");
    for (const auto& other : runbook.parameters)
      if (other.name == parameter.name)
        return table.wrong("parameter", "names \"" + parameter.name + "\" twice");
    runbook.parameters.push_back(std::move(parameter));
  }
  TRY_VOID(table.finish());
  return runbook;
}

Result<void> read_approvals(TomlTable& top, Policy& policy) {
  TRY(auto table, top.table("approvals"));
  if (!table) return {};
  for (std::uint32_t tier = 0; tier < kTiers; ++tier) {
    TRY(const auto persons,
        table->integer("tier" + std::to_string(tier), kMinimumApprovals[tier], kMaxPersons));
    if (persons) policy.approvals[tier] = static_cast<std::uint32_t>(*persons);
  }
  return table->finish();
}

Result<void> read_lists(TomlTable& top, SiteLists& lists) {
  TRY(auto vacuum, top.table("vacuum"));
  if (vacuum) {
    TRY(const auto directories, vacuum->texts("directories"));
    for (const auto& directory : directories) {
      if (!is_absolute_path(directory) || directory == "/")
        return vacuum->wrong("directories", "must be absolute paths without \"//\", \".\", \"..\"");
      lists.vacuum_directories.push_back(directory);
    }
    TRY_VOID(vacuum->finish());
  }
  TRY(auto caches, top.table("cache"));
  if (caches) {
    TRY(auto named, caches->named_tables());
    for (auto& [name, table] : named) {
      if (!is_site_name(name)) return caches->wrong(name, "is no name for a cache");
      TRY(auto cache, read_cache(table));
      if (!lists.caches.emplace(name, std::move(cache)).second)
        return caches->wrong(name, "is in another file too");
    }
  }
  TRY(auto runbooks, top.table("runbook"));
  if (runbooks) {
    TRY(auto named, runbooks->named_tables());
    for (auto& [name, table] : named) {
      if (!is_site_name(name)) return runbooks->wrong(name, "is no name for a runbook");
      TRY(auto runbook, read_runbook(table));
      if (!lists.runbooks.emplace(name, std::move(runbook)).second)
        return runbooks->wrong(name, "is in another file too");
    }
  }
  return {};
}

Result<void> read_limits(TomlTable& top, Policy& policy) {
  TRY(const auto enabled, top.flag("enabled"));
  TRY(const auto max_tier, top.integer("max_tier", 0, kTiers - 1));
  TRY(const auto rate, top.integer("max_per_hour", 0, kMaxPerHour));
  TRY(const auto cooldown, top.duration("cooldown", kMaxCooldown));
  TRY(const auto zone, top.text("time_zone"));
  if (enabled) policy.enabled = *enabled;
  if (max_tier) policy.max_tier = static_cast<std::uint32_t>(*max_tier);
  if (rate) policy.max_per_hour = static_cast<std::uint32_t>(*rate);
  if (cooldown) policy.cooldown = *cooldown;
  if (zone && *zone != "UTC" && *zone != "local")
    return top.wrong("time_zone", "must be \"UTC\" or \"local\"");
  if (zone) policy.zone = *zone == "UTC" ? TimeZone::kUtc : TimeZone::kLocal;
  return {};
}

constexpr std::string_view kOnce[] = {"enabled",  "max_tier",  "max_per_hour",
                                      "cooldown", "time_zone", "approvals"};

// The one table that must be in one file only is told by its first key.
Result<void> check_once(const TomlTable& top, const std::string& name,
                        std::map<std::string, std::string>& set_in) {
  for (const auto key : kOnce) {
    if (!top.has(key)) continue;
    const auto [where, fresh] = set_in.emplace(key, name);
    if (!fresh) return top.wrong(key, "is set in " + where->second + " too");
  }
  return {};
}

wire::Digest hash_of(std::span<const PolicyFile> files) {
  std::string all;
  const auto add = [&all](std::string_view part) {
    all.append(std::to_string(part.size())).append(":").append(part);
  };
  for (const auto& file : files) {
    add(file.name);
    add(file.text);
  }
  return signing::sha256(all);
}

}  // namespace

Result<Policy> parse_policy(std::span<const PolicyFile> files) {
  Policy policy;
  std::map<std::string, std::string> set_in;
  for (const auto& file : files) {
    const auto parsed = toml::parse(file.text, file.name);
    if (!parsed)
      return Error(Errc::kInvalid, file.name + ":" +
                                       std::to_string(parsed.error().source().begin.line) + ": " +
                                       std::string(parsed.error().description()));
    TomlTable top(parsed.table(), file.name, "");
    TRY_VOID(check_once(top, file.name, set_in));
    TRY_VOID(read_limits(top, policy));
    TRY_VOID(read_approvals(top, policy));
    TRY(const auto rules, top.tables("allow"));
    if (policy.allow.size() + rules.size() > kMaxAllowRules)
      return top.wrong("allow", "has more than " + std::to_string(kMaxAllowRules) + " rules");
    for (const auto& table : rules) {
      TRY(auto rule, read_rule(table));
      policy.allow.push_back(std::move(rule));
    }
    TRY_VOID(read_lists(top, policy.lists));
    TRY_VOID(top.finish());
  }
  policy.hash = hash_of(files);
  return policy;
}

}  // namespace observeai::agent::executor
