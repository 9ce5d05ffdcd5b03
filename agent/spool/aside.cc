#include "agent/spool/aside.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include "agent/spool/segment.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::string_view kPrefix = "spool.aside-";
constexpr std::size_t kKept = 2;  // Each may be as large as the quota.

std::set<std::uint64_t> numbers_in(const std::string& directory) {
  std::set<std::uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    if (const auto number = text::parse_u64(std::string_view(name).substr(kPrefix.size()))) {
      numbers.insert(*number);
    }
  }
  return numbers;
}

}  // namespace

Result<std::string> put_aside(const std::string& directory, const std::vector<std::string>& names) {
  auto numbers = numbers_in(directory);
  const std::uint64_t number = numbers.empty() ? 1 : *numbers.rbegin() + 1;
  const std::string folder = directory + "/" + std::string(kPrefix) + std::to_string(number);
  TRY_VOID(files::make_directories(folder, 0700));
  for (const auto& name : names) {
    if (std::rename((directory + "/" + name).c_str(), (folder + "/" + name).c_str()) != 0 &&
        errno != ENOENT) {
      return files::from_errno("cannot move " + directory + "/" + name + " to " + folder, errno);
    }
  }
  numbers.insert(number);
  while (numbers.size() > kKept) {
    std::error_code error;
    std::filesystem::remove_all(
        directory + "/" + std::string(kPrefix) + std::to_string(*numbers.begin()), error);
    numbers.erase(numbers.begin());
  }
  return folder;
}

Result<std::string> put_database_aside(const std::string& directory, const std::string& name) {
  // The log first: a database without its log would look whole and be old.
  return put_aside(directory, {name + "-wal", name + "-shm", name});
}

Result<std::string> quarantine_spool(const std::string& directory) {
  std::vector<std::string> names{"spool.db-wal", "spool.db-shm"};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool log = name.ends_with("-wal");
    if (parse_segment_name(log ? name.substr(0, name.size() - 4) : name)) names.push_back(name);
  }
  std::filesystem::remove(directory + "/ballast", error);
  names.emplace_back("spool.db");
  names.emplace_back("manifest");
  return put_aside(directory, names);
}

}  // namespace observeai::agent
