#include "controlplane/store/partition_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::string_view kPrefix = "p-";
constexpr std::string_view kSuffix = ".db";
constexpr std::string_view kAside = ".db.corrupt-";
constexpr const char* kWithLogs[] = {"-wal", "-shm", ""};

struct Aside {
  std::int64_t start_ms = 0;
  std::int64_t number = 0;
  std::string path;
  auto operator<=>(const Aside&) const = default;
};

// On an error those that were found.
std::vector<Aside> all_aside(const std::string& directory, std::error_code& error) {
  std::vector<Aside> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const auto middle = name.find(kAside);
    if (!name.starts_with(kPrefix) || middle == std::string::npos) continue;
    const auto start = text::parse_i64(name.substr(kPrefix.size(), middle - kPrefix.size()));
    const auto number = text::parse_i64(name.substr(middle + kAside.size()));
    if (start && number) out.push_back({*start, *number, entry.path().string()});
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::string partition_path(const std::string& directory, std::int64_t start_ms) {
  return directory + "/" + std::string(kPrefix) + std::to_string(start_ms) + std::string(kSuffix);
}

std::vector<std::int64_t> partition_starts(const std::string& directory) {
  std::vector<std::int64_t> starts;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string file_name = entry.path().filename().string();
    std::string_view name = file_name;
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    name.remove_prefix(kPrefix.size());
    name.remove_suffix(kSuffix.size());
    if (const auto start = text::parse_i64(name)) starts.push_back(*start);
  }
  std::sort(starts.begin(), starts.end());
  return starts;
}

void unlink_with_logs(const std::string& path) {
  for (const auto* suffix : kWithLogs) ::unlink((path + suffix).c_str());
}

std::string aside_path(const std::string& path) {
  std::string aside;
  for (int n = 1; aside.empty() || files::exists(aside); ++n)
    aside = path + ".corrupt-" + std::to_string(n);
  return aside;
}

Result<std::string> newest_aside(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  std::error_code error;
  std::string newest;
  for (const auto& one : all_aside(directory, error)) {
    if (one.path.starts_with(path + ".")) newest = one.path;
  }
  if (error) return Error(Errc::kUnavailable, directory + ": " + error.message());
  return newest;
}

bool is_gone(const std::string& path) {
  std::error_code error;
  return std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found;
}

void move_aside(const std::string& path, const std::string& aside) {
  for (const auto* suffix : kWithLogs) {
    if (std::rename((path + suffix).c_str(), (aside + suffix).c_str()) != 0 && errno != ENOENT) {
      log::error("cannot move " + path + suffix + ": " + std::strerror(errno));
    }
  }
}

void forget_aside(const std::string& directory) {
  std::error_code unknown;
  const auto all = all_aside(directory, unknown);
  for (std::size_t i = 0; i + kAsideKept < all.size(); ++i) unlink_with_logs(all[i].path);
}

std::uint64_t aside_bytes(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code unknown;
  for (const auto& one : all_aside(directory, unknown)) {
    for (const auto* suffix : kWithLogs) {
      std::error_code error;
      const auto size = std::filesystem::file_size(one.path + suffix, error);
      if (!error) bytes += size;
    }
  }
  return bytes;
}

}  // namespace observeai::controlplane::store
