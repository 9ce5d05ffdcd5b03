#include "agent/logs/remote_mounts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "protocol/base/mount_text.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::array<std::string_view, 43> kLocalTypes = {
    "bcachefs",  "binfmt_misc", "bpf",    "btrfs",    "cgroup",   "cgroup2", "configfs",
    "cramfs",    "debugfs",     "devpts", "devtmpfs", "efivarfs", "erofs",   "exfat",
    "ext2",      "ext3",        "ext4",   "f2fs",     "fusectl",  "hfsplus", "hugetlbfs",
    "iso9660",   "jfs",         "mqueue", "msdos",    "nilfs2",   "nsfs",    "ntfs3",
    "overlay",   "proc",        "pstore", "ramfs",    "reiserfs", "rootfs",  "securityfs",
    "selinuxfs", "squashfs",    "sysfs",  "tmpfs",    "tracefs",  "vfat",    "xfs",
    "zfs"};

constexpr int kMaxLinks = 40;                         // As the kernel
constexpr std::size_t kMaxPathBytes = 16 * PATH_MAX;  // Of a path whose links are being followed

bool lies_on(std::string_view path, std::string_view point) {
  return path.starts_with(point) && (path.size() == point.size() || path[point.size()] == '/');
}

std::optional<std::string> link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const auto n = ::readlink(path.c_str(), target.data(), target.size());
  if (n <= 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(n));
}

}  // namespace

bool is_local_type(std::string_view type) {
  return std::find(kLocalTypes.begin(), kLocalTypes.end(), type) != kLocalTypes.end();
}

RemoteMounts RemoteMounts::parse(std::string_view mountinfo) {
  RemoteMounts mounts;
  for (const auto line : text::split(mountinfo, '\n')) {
    const auto words = text::split(line, ' ');
    const auto separator = std::find(words.begin(), words.end(), "-");
    if (separator - words.begin() < 6 || words.end() - separator < 2) continue;
    const std::string_view type = *(separator + 1);
    std::string point = text::unescape_mount(words[4]);
    if (!point.starts_with('/') || point == "/" || is_local_type(type)) continue;
    if (point.starts_with("/proc/") || point.starts_with("/sys/")) continue;
    mounts.types_.insert_or_assign(std::move(point), std::string(type));
  }
  return mounts;
}

RemoteMounts RemoteMounts::with(const std::vector<std::string>& more) const {
  RemoteMounts mounts = *this;
  for (const auto& point : more) mounts.types_.emplace(point, "");
  return mounts;
}

std::string RemoteMounts::type_of(const std::string& point) const {
  const auto found = types_.find(point);
  return found == types_.end() ? "" : found->second;
}

std::vector<std::string> RemoteMounts::points() const {
  std::vector<std::string> out;
  for (const auto& [point, type] : types_) out.push_back(point);
  return out;
}

std::optional<std::string> RemoteMounts::deepest(std::string_view path) const {
  for (auto end = path.size(); end > 0; end = path.rfind('/', end - 1)) {
    std::string prefix(path.substr(0, end));
    if (types_.contains(prefix)) return prefix;
    if (path.rfind('/', end - 1) == std::string_view::npos) break;
  }
  return std::nullopt;
}

bool RemoteMounts::leads_to(std::string_view path, std::string_view point) {
  return lies_on(path, point) || path.empty() || lies_on(point, path);
}

bool PlaceFinder::may_touch(const std::string& path, const std::string& place) {
  if (mounts_.empty()) return true;
  const auto found = find(path);
  if (found.place == kLocal || found.place == place) return true;
  return place != kLocal && RemoteMounts::leads_to(found.path, place);
}

PlaceFinder::Found PlaceFinder::find(const std::string& path) {
  const auto end = path.find_last_not_of('/');
  if (end == std::string::npos) return {};
  const auto slash = path.rfind('/', end);
  if (slash == std::string::npos) return walk({}, path);
  const std::string folder = path.substr(0, slash);
  auto known = folders_.find(folder);
  if (known == folders_.end()) known = folders_.emplace(folder, walk({}, folder)).first;
  return walk(known->second, path.substr(slash, end + 1 - slash));
}

PlaceFinder::Found PlaceFinder::walk(Found at, std::string rest) const {
  int links = 0;
  for (;;) {
    const auto begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) return at;
    const auto end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    rest.erase(0, end);
    if (name == ".") continue;
    if (name == "..") {
      at.path.erase(at.path.empty() ? 0 : at.path.rfind('/'));
      continue;
    }
    const std::string next = at.path + "/" + name;
    if (auto point = mounts_.deepest(next)) at.place = std::move(*point);
    if (at.place == kLocal && links < kMaxLinks && rest.size() < kMaxPathBytes) {
      if (const auto target = link_target(next)) {
        ++links;
        if (target->starts_with('/')) at.path.clear();
        rest = *target + rest;
        continue;
      }
    }
    at.path = next;
  }
}

}  // namespace observeai::agent
