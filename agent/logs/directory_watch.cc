#include "agent/logs/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "protocol/base/files.h"

namespace observeai::agent {
namespace {

constexpr std::uint32_t kNameEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
// A flood of events must not keep the loop here: the rest is left readable.
constexpr int kMaxReads = 16;

}  // namespace

DirectoryWatch::DirectoryWatch() : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

Result<int> DirectoryWatch::add(const std::string& folder) {
  const int watch =
      ::inotify_add_watch(inotify_.get(), folder.c_str(), kNameEvents | IN_MODIFY | IN_ONLYDIR);
  if (watch >= 0) return watch;
  if (errno == ENOSPC)
    return Error(Errc::kLimit, "cannot watch " + folder + ": no inotify watches left");
  return files::from_errno("cannot watch " + folder, errno);
}

void DirectoryWatch::remove(int watch) {
  ::inotify_rm_watch(inotify_.get(), watch);
}

std::vector<DirectoryWatch::Change> DirectoryWatch::drain(bool& overflow) {
  overflow = false;
  std::vector<Change> changes;
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    const auto n = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        overflow = true;
        continue;
      }
      Change change;
      change.watch = event.wd;
      change.name.assign(name, ::strnlen(name, event.len));
      change.named = (event.mask & kNameEvents) != 0;
      change.gone = (event.mask & IN_IGNORED) != 0;
      // Consecutive writes to one file say the same.
      const bool repeated = !changes.empty() && !change.named && !changes.back().named &&
                            changes.back().watch == change.watch &&
                            changes.back().name == change.name;
      if (!repeated) changes.push_back(std::move(change));
    }
  }
  return changes;
}

}  // namespace observeai::agent
