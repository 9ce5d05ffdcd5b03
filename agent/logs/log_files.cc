#include "agent/logs/log_files.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "agent/logs/log_siblings.h"
#include "agent/logs/path_pattern.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::string_view kFirstLine = "observeai-log-files 1";
constexpr std::string_view kFilePrefix = "log/file";
constexpr std::string_view kCriPrefix = "log/cri";
constexpr std::size_t kMaxStateBytes = 256U << 10;

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}
std::string_view folder_of(std::string_view path) {
  return path.substr(0, path.rfind('/') + 1);
}

bool is_link(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode);
}
bool is_regular(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}
std::string real_path(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  return ::realpath(path.c_str(), real.data()) == nullptr ? std::string()
                                                          : std::string(real.data());
}

}  // namespace

Result<void> LogFiles::restore(std::string_view state) {
  const Error damaged(Errc::kCorrupt, "the times of log patterns are damaged");
  if (state.size() > kMaxStateBytes || !state.ends_with("\nend\n")) return damaged;
  state.remove_suffix(5);
  const auto lines = text::split(state, '\n');
  if (lines.front() != kFirstLine) return damaged;
  std::map<std::string, std::int64_t> first_scans;
  for (const auto line : std::span(lines).subspan(1)) {
    const auto space = line.find(' ', 8);
    if (!line.starts_with("pattern ") || space == std::string_view::npos) return damaged;
    const auto time = text::parse_i64(line.substr(8, space - 8));
    if (!time) return damaged;
    first_scans.emplace(line.substr(space + 1), *time);
  }
  first_scans_ = std::move(first_scans);
  used_ = true;
  return {};
}

std::optional<SourceCheckpoint> LogFiles::checkpoint() const {
  if (!changed_) return std::nullopt;
  std::string state(kFirstLine);
  for (const auto& [pattern, time] : first_scans_) {
    state += "\npattern " + std::to_string(time) + " " + pattern;
  }
  return SourceCheckpoint{source(), state + "\nend\n"};
}

bool LogFiles::excluded(const std::string& path) const {
  return std::any_of(options_.exclude.begin(), options_.exclude.end(),
                     [&](const std::string& pattern) {
                       const bool whole = pattern.find('/') != std::string::npos;
                       const std::string name = whole ? path : std::string(name_of(path));
                       return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
                     });
}

bool LogFiles::wants(const std::string& path, LogFormat format) const {
  const auto& patterns = format == LogFormat::kCri ? options_.cri : options_.plain;
  return !excluded(path) &&
         std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
           return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
         });
}

// What a scan goes through. The first pattern decides what a file is.
std::vector<PatternElsewhere> LogFiles::patterns() const {
  if (options_.place != kLocal) return patterns_;
  std::vector<PatternElsewhere> all;
  for (const auto& pattern : options_.cri) all.push_back({pattern, LogFormat::kCri, 0});
  for (const auto& pattern : options_.plain) all.push_back({pattern, LogFormat::kPlain, 0});
  return all;
}

std::int64_t LogFiles::first_scan(const std::string& pattern, std::int64_t now_ns, bool& is_new) {
  const auto [first, added] = first_scans_.emplace(pattern, now_ns);
  is_new = added;
  const bool clock_was_ahead = first->second > now_ns;
  if (clock_was_ahead) first->second = 0;
  changed_ = changed_ || added || clock_was_ahead;
  return first->second;
}

void LogFiles::match(const PatternElsewhere& pattern, std::int64_t now_ns, PlaceFinder& finder,
                     std::map<std::string, MatchedLog>& out) {
  PatternElsewhere known = pattern;
  bool is_new = false;
  const auto first_here = first_scan(pattern.pattern, now_ns, is_new);
  if (options_.place == kLocal) known.first_scan_ns = first_here;
  const auto leave_to = [&](const std::string& place) {
    if (place == kLocal || place == options_.place) return;
    auto& left = elsewhere_[place];
    if (left.empty() || left.back() != known) left.push_back(known);
  };
  const auto may_touch = [&](const std::string& path) {
    if (finder.may_touch(path, options_.place)) return true;
    leave_to(finder.place_of(path));
    return false;
  };
  for (const auto& path : expand_pattern(pattern.pattern, may_touch)) {
    if (path.find('\n') != std::string::npos || names_compressed(path) || excluded(path)) continue;
    if (const auto place = finder.place_of(path); place != options_.place) {
      leave_to(place);
      continue;
    }
    if (!is_regular(path)) continue;
    if (pattern.format == LogFormat::kCri && is_link(path)) continue;
    MatchedLog log{path, pattern.format, INT64_MIN, false};
    if (pattern.format == LogFormat::kPlain && !options_.read_existing) {
      log.older_starts_at_end_ns = known.first_scan_ns;
      log.first_scan = is_new;
    }
    out.emplace(path, std::move(log));
  }
}

std::vector<MatchedLog> LogFiles::scan(std::int64_t now_ns,
                                       const std::function<bool(const std::string&)>& followed) {
  PlaceFinder finder(*mounts_);
  std::map<std::string, MatchedLog> matches;
  elsewhere_.clear();
  for (const auto& pattern : patterns()) match(pattern, now_ns, finder, matches);
  std::vector<MatchedLog> out;
  left_out_ = 0;
  for (const auto& [path, log] : matches) {
    const std::string folder(folder_of(path));
    const auto live_names = live_names_of(name_of(path));
    const bool rotated =
        std::any_of(live_names.begin(), live_names.end(), [&](const std::string& live) {
          return matches.contains(folder + live) || followed(folder + live);
        });
    if (rotated) continue;
    if (is_link(path) && matches.contains(real_path(path))) continue;
    if (out.size() == options_.max_files) {
      ++left_out_;
      continue;
    }
    out.push_back(log);
  }
  return out;
}

std::optional<std::string> place_of_files(std::string_view source) {
  const std::string_view prefix = kLogFilesSource;
  if (!source.starts_with(prefix)) return std::nullopt;
  const auto place = source.substr(prefix.size());
  if (!place.empty() && !place.starts_with('/')) return std::nullopt;
  return std::string(place);
}

std::string log_source_name(const std::string& path, LogFormat format) {
  return std::string(format == LogFormat::kCri ? kCriPrefix : kFilePrefix) + path;
}

std::optional<NamedLog> parse_log_source_name(std::string_view name) {
  for (const auto format : {LogFormat::kPlain, LogFormat::kCri}) {
    const auto prefix = format == LogFormat::kCri ? kCriPrefix : kFilePrefix;
    if (name.starts_with(prefix) && name.substr(prefix.size()).starts_with('/'))
      return NamedLog{std::string(name.substr(prefix.size())), format};
  }
  return std::nullopt;
}

wire::Target log_target(const std::string& path, LogFormat format) {
  const auto parts = text::split(path, '/');
  if (format == LogFormat::kCri && parts.size() >= 3) {
    const auto pod = text::split(parts[parts.size() - 3], '_');
    const auto container = parts[parts.size() - 2];
    if (pod.size() == 3 && !pod[0].empty() && !pod[1].empty() && !container.empty()) {
      return "pod/" + std::string(pod[0]) + "/" + std::string(pod[1]) + "/" +
             std::string(container);
    }
  }
  return "file" + path;
}

}  // namespace observeai::agent
