// Which paths must not be touched where nobody may wait: whatever lies on a mount that asks a server
// or another process (NFS, SMB, FUSE, 9p, autofs, and every type that is not known to be local) may
// hang for ever. The mount table says which; reading it touches none of them.
//
// A "place" is the mount point of such a mount, or kLocal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::agent {

inline constexpr const char* kLocal = "";

// Answered by this kernel and its disks alone. What is not known is not local.
bool is_local_type(std::string_view type);

// Immutable, so that threads may share one. Where two mounts lie on one another at the same place,
// one that is not local decides: what is under it may be reached through it only.
class RemoteMounts {
 public:
  RemoteMounts() = default;
  // Of /proc/self/mountinfo (proc(5)). Lines that do not parse are passed over. The root is local
  // whatever it is: without it nothing runs, this program included. Below /proc and /sys there are no
  // logs: nearly every host has an autofs there, and no other mount that would cost a look at links.
  static RemoteMounts parse(std::string_view mountinfo);
  // Of mount points that are not there now, but are to be left alone all the same.
  RemoteMounts with(const std::vector<std::string>& more) const;

  bool empty() const { return types_.empty(); }
  bool contains(const std::string& point) const { return types_.contains(point); }
  // "nfs4"; "" for what with() added.
  std::string type_of(const std::string& point) const;
  std::vector<std::string> points() const;
  // The deepest of them that a path without links lies on.
  std::optional<std::string> deepest(std::string_view path) const;
  // Does a path without links lie on `point`, or lead there?
  static bool leads_to(std::string_view path, std::string_view point);
  bool operator==(const RemoteMounts&) const = default;

 private:
  std::map<std::string, std::string> types_;  // By mount point
};

// Where a path leads, following links as long as they lie on local mounts: beyond that nothing is
// touched, and the rest of the path counts as written. Remembers folders: use it for one scan, then
// throw it away. Single thread; `mounts` must outlive it.
class PlaceFinder {
 public:
  explicit PlaceFinder(const RemoteMounts& mounts) : mounts_(mounts) {}
  // The place of an absolute path, whether the file exists or not.
  std::string place_of(const std::string& path) {
    return mounts_.empty() ? kLocal : find(path).place;
  }
  // May a thread that serves `place` touch the path? The place itself, what is local, and what lies
  // on the way to the place.
  bool may_touch(const std::string& path, const std::string& place);

 private:
  struct Found {
    std::string path;  // Without links, as far as known
    std::string place = kLocal;
  };
  Found find(const std::string& path);
  Found walk(Found at, std::string rest) const;

  const RemoteMounts& mounts_;
  std::map<std::string, Found> folders_;
};

}  // namespace observeai::agent
