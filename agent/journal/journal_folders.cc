#include "agent/journal/journal_folders.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace observeai::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMachineIdDigits = 32;

bool is_machine_id(const std::string& name) {
  return name.size() == kMachineIdDigits &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string problem_of(const std::string& path, const std::error_code& why) {
  return path + ": " + why.message();
}

std::string try_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno == ENOENT ? "" : problem_of(path, {errno, std::system_category()});
  ::close(fd);
  return {};
}

}  // namespace

std::string unreadable_journal_file(const std::string& folder) {
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  if (failed)
    return failed == std::errc::no_such_file_or_directory ? "" : problem_of(folder, failed);
  for (; entry != fs::directory_iterator(); entry.increment(failed)) {
    const auto path = entry->path().string();
    std::error_code unknown;
    std::string problem;
    if (path.ends_with(".journal")) {
      problem = try_file(path);
    } else if (is_machine_id(entry->path().filename().string()) && entry->is_directory(unknown)) {
      problem = unreadable_journal_file(path);
    }
    if (!problem.empty()) return problem;
    if (failed) return problem_of(folder, failed);
  }
  return {};
}

}  // namespace observeai::agent
