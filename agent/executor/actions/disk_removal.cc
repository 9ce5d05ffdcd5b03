#include "agent/executor/actions/disk_removal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/executor/actions/open_beneath.h"
#include "agent/executor/actions/values.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

OldFile from_stat(const struct stat& info) {
  return {"", info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec};
}

bool same(const OldFile& a, const OldFile& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         a.modified_ns == b.modified_ns;
}

// Where a file's name is to be looked up.
struct Place {
  UniqueFd parent;
  std::string name;
};

Result<Place> place_of(int folder, const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  Place place;
  place.name = slash == std::string::npos ? path : path.substr(slash + 1);
  TRY(place.parent, open_beneath(folder, parent, O_RDONLY | O_DIRECTORY));
  return place;
}

}  // namespace

std::string removal_state(std::map<std::string, std::string> facts,
                          const std::vector<OldFile>& files) {
  for (const auto& file : files)
    facts["file " + file.path] = std::to_string(file.inode) + " " + std::to_string(file.size) +
                                 " " + std::to_string(file.modified_ns);
  return state_text(facts);
}

std::vector<wire::Change> removal_diff(const std::string& folder,
                                       const std::vector<OldFile>& files) {
  std::vector<wire::Change> out;
  for (const auto& file : files)
    out.push_back({folder + "/" + file.path, std::to_string(file.size) + " bytes", "removed"});
  return out;
}

Result<OldFile> look_at_file(int parent, const std::string& name) {
  struct stat info {};
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return files::from_errno("cannot look at " + name, errno);
  if (!S_ISREG(info.st_mode)) return Error(Errc::kInvalid, name + " is not a regular file");
  if (info.st_nlink > 1)
    return Error(Errc::kInvalid, name + " has another name: removing this one frees nothing");
  return from_stat(info);
}

Result<std::string> head_of(int parent, const std::string& name, const OldFile& file,
                            std::size_t bytes) {
  auto opened = open_beneath(parent, name, O_RDONLY | O_NOATIME);
  if (!opened && opened.error().code() == Errc::kDenied)
    opened = open_beneath(parent, name, O_RDONLY);  // O_NOATIME is the owner's and root's alone
  if (!opened) return std::move(opened).error();
  struct stat info {};
  if (::fstat(opened->get(), &info) != 0 || !same(from_stat(info), file))
    return Error(Errc::kCorrupt, name + " changed meanwhile");
  std::string head(bytes, '\0');
  const auto got = ::pread(opened->get(), head.data(), head.size(), 0);
  if (got < 0) return files::from_errno("cannot read " + name, errno);
  head.resize(static_cast<std::size_t>(got));
  return head;
}

Result<void> remove_files(int folder, const std::vector<OldFile>& files, Run& run) {
  for (const auto& file : files) {
    TRY_VOID(run.check());
    TRY(const Place place, place_of(folder, file.path));
    TRY(const OldFile now, look_at_file(place.parent.get(), place.name));
    if (!same(now, file))
      return Error(Errc::kCorrupt, file.path + " changed meanwhile: nothing more is removed");
    if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0)
      return files::from_errno("cannot remove " + file.path, errno);
  }
  return {};
}

Result<std::vector<OldFile>> gone_of(int folder, const std::vector<OldFile>& files) {
  std::vector<OldFile> out;
  for (const auto& file : files) {
    auto place = place_of(folder, file.path);
    if (!place && place.error().code() != Errc::kNotFound) return std::move(place).error();
    if (place) {
      struct stat now {};
      const bool there =
          ::fstatat(place->parent.get(), place->name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
      if (!there && errno != ENOENT) return files::from_errno("cannot look at " + file.path, errno);
      if (there && same(from_stat(now), file)) continue;  // An inode's number comes back soon
    }
    out.push_back(file);
  }
  return out;
}

}  // namespace observeai::agent::executor
