#include "agent/logs/log_siblings.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "agent/logs/unique_directory.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr int kSnapshotAttempts = 5;
constexpr int kMaxLinks = 16;
constexpr std::uint64_t kMaxRotation = 1'000'000;
constexpr std::size_t kDateDigits = 8;
constexpr std::size_t kMaxDateBytes = 32;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "20261121", "2026-11-21", "20261121-074500"
bool is_date(std::string_view text) {
  if (text.size() > kMaxDateBytes || !(text.starts_with("19") || text.starts_with("20"))) {
    return false;
  }
  const auto digits = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_digit));
  const bool only = std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || c == '-' || c == '_' || c == 'T';
  });
  return only && digits >= kDateDigits;
}

std::optional<RotatedName> rotation_of(char separator, std::string_view text) {
  if (separator == '.') {
    const auto number = text::parse_u64(text);
    if (number && *number > 0 && *number < kMaxRotation) return RotatedName{*number, "", false};
  }
  if ((separator == '.' || separator == '-') && is_date(text)) {
    return RotatedName{0, std::string(text), false};
  }
  return std::nullopt;
}

struct Split {
  std::string stem;
  std::string extension;  // With its point
};
Split split_extension(std::string_view base) {
  const auto point = base.rfind('.');
  if (point == std::string_view::npos || point == 0) return {std::string(base), ""};
  return {std::string(base.substr(0, point)), std::string(base.substr(point))};
}

// Sorts numbers within names by their value.
std::string natural(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    if (!is_digit(name[i])) {
      out.push_back(name[i++]);
      continue;
    }
    auto end = i;
    while (end < name.size() && is_digit(name[end])) ++end;
    out.append(std::string(20 - std::min<std::size_t>(20, end - i), '0'));
    out.append(name.substr(i, end - i));
    i = end;
  }
  return out;
}

// Names with the same family differ in digits only.
std::string family(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (!is_digit(c)) {
      out.push_back(c);
    } else if (out.empty() || out.back() != '#') {
      out.push_back('#');
    }
  }
  return out;
}

struct SiblingName {
  std::string path;
  std::string age;  // The older, the smaller
  bool live = false;
  bool operator==(const SiblingName&) const = default;
};

std::string age_of(const RotatedName& rotated) {
  if (rotated.number == 0) return "0" + natural(rotated.date);
  return "1" + natural(std::to_string(kMaxRotation - rotated.number));
}

// Oldest first. `with_family`: the log is reached by a link that is moved on to the next of them.
Result<std::vector<SiblingName>> sibling_names(const std::string& path, bool with_family) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string own_family = family(base);
  const bool has_digits = own_family != base;
  const UniqueDirectory directory(::opendir(folder.c_str()));
  if (!directory) return files::from_errno("cannot list " + folder, errno);
  std::vector<SiblingName> names;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    const auto plain = names_compressed(name) ? name.substr(0, name.size() - 3) : name;
    if (name == base) {
      names.push_back({slash == std::string::npos ? path : folder + base, "2", true});
    } else if (const auto rotated = parse_rotated(base, name)) {
      names.push_back({folder + std::string(name), age_of(*rotated), false});
    } else if (with_family && has_digits && family(plain) == own_family &&
               natural(plain) < natural(base)) {
      names.push_back({folder + std::string(name), "0" + natural(plain), false});
    }
  }
  std::sort(names.begin(), names.end(), [](const SiblingName& a, const SiblingName& b) {
    return std::tie(a.age, a.path) < std::tie(b.age, b.path);
  });
  // "x" sorts before "x.gz", which is a copy in the making then.
  const auto copy = std::unique(
      names.begin(), names.end(), [](const SiblingName& first, const SiblingName& second) {
        return second.path.size() == first.path.size() + 3 && names_compressed(second.path) &&
               second.path.starts_with(first.path);
      });
  names.erase(copy, names.end());
  if (names.size() > kMaxSiblings) names.erase(names.begin(), names.end() - kMaxSiblings);
  return names;
}

struct Resolved {
  std::string path;
  std::set<uid_t> link_owners;  // But root
};

// Follows links component by component.
Result<Resolved> resolve(const std::string& path) {
  Resolved out;
  std::string rest = path;
  std::string at = path.starts_with('/') ? "" : ".";
  for (int links = 0; !rest.empty();) {
    const auto begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) break;
    const auto end = std::min(rest.find('/', begin), rest.size());
    const auto component = rest.substr(begin, end - begin);
    rest.erase(0, end);
    const auto next = at + "/" + component;
    struct stat found {};
    if (::lstat(next.c_str(), &found) != 0) {
      return files::from_errno("cannot look at " + next, errno);
    }
    if (!S_ISLNK(found.st_mode)) {
      at = next;
      continue;
    }
    if (++links > kMaxLinks) return Error(Errc::kDenied, path + " leads through too many links");
    std::string target(4096, '\0');
    const auto n = ::readlink(next.c_str(), target.data(), target.size());
    if (n < 0) return files::from_errno("cannot read the link " + next, errno);
    target.resize(static_cast<std::size_t>(n));
    if (found.st_uid != 0) out.link_owners.insert(found.st_uid);
    if (target.starts_with('/')) at.clear();
    rest = target + rest;
  }
  out.path = std::move(at);
  return out;
}

UniqueFd open_without_links(const std::string& path) {
  // A log may have been replaced by a pipe: never wait in open().
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  open_how how{};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_SYMLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!fd && errno == ENOSYS) fd = UniqueFd(::open(path.c_str(), kFlags | O_NOFOLLOW));
  return fd;
}

Result<SeenFile> seen_file(UniqueFd fd, const std::string& path, bool live) {
  TRY(const auto facts, stat_file(fd.get()));
  if (!facts.regular) return Error(Errc::kDenied, path + " is not a regular file");
  return SeenFile{LogContent(std::move(fd), path), facts, path, live};
}

// Nothing in `name` leads elsewhere but its folder, which was resolved or is trusted.
Result<SeenFile> open_plain(const std::string& path, bool live) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (!fd && errno == ELOOP) {
    return Error(Errc::kDenied, path + " is a symbolic link, which is not followed");
  }
  if (!fd) return files::from_errno("cannot open " + path, errno);
  return seen_file(std::move(fd), path, live);
}

Result<SeenFile> open_resolved(const Resolved& resolved, const std::string& path, bool live) {
  auto fd = open_without_links(path);
  if (!fd && errno == ELOOP) {
    return Error(Errc::kDenied, path + " is a symbolic link by now, which is not followed");
  }
  if (!fd) return files::from_errno("cannot open " + path, errno);
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return files::from_errno("cannot look at " + path, errno);
  for (const auto owner : resolved.link_owners) {
    if (owner != found.st_uid) {
      return Error(Errc::kDenied, path + " is reached by a symbolic link of user " +
                                      std::to_string(owner) +
                                      ", who does not own it; it is not followed");
    }
  }
  return seen_file(std::move(fd), path, live);
}

// Do the names still mean the files that were opened?
bool unmoved(const std::vector<SeenFile>& seen) {
  return std::all_of(seen.begin(), seen.end(), [](const SeenFile& file) {
    const auto facts = stat_file(file.path);
    return facts && facts->key == file.facts.key;
  });
}

}  // namespace

std::optional<RotatedName> parse_rotated(std::string_view base, std::string_view name) {
  const bool compressed = names_compressed(name);
  if (compressed) name.remove_suffix(3);
  std::optional<RotatedName> rotated;
  if (name.size() > base.size() + 1 && name.starts_with(base)) {
    rotated = rotation_of(name[base.size()], name.substr(base.size() + 1));
  }
  const auto [stem, extension] = split_extension(base);
  if (!rotated && !extension.empty() && name.size() > base.size() + 1 && name.starts_with(stem) &&
      name.ends_with(extension)) {
    const auto middle = name.substr(stem.size(), name.size() - base.size());
    if (middle[0] == '-') rotated = rotation_of('-', middle.substr(1));
  }
  if (rotated) rotated->compressed = compressed;
  return rotated;
}

std::vector<std::string> live_names_of(std::string_view name) {
  const auto plain = names_compressed(name) ? name.substr(0, name.size() - 3) : name;
  std::vector<std::string> out;
  const auto add = [&](std::string base) {
    if (!base.empty() && parse_rotated(base, name)) out.push_back(std::move(base));
  };
  const auto extension = split_extension(plain).extension;
  for (auto at = plain.find_first_of(".-"); at != std::string_view::npos;
       at = plain.find_first_of(".-", at + 1)) {
    add(std::string(plain.substr(0, at)));
    if (plain[at] == '-') add(std::string(plain.substr(0, at)) + extension);
  }
  return out;
}

Result<SeenFile> open_log(const std::string& path, Links links) {
  if (links == Links::kRefused) return open_plain(path, true);
  TRY(const auto resolved, resolve(path));
  return open_resolved(resolved, resolved.path, true);
}

Result<std::vector<SeenFile>> open_siblings(const std::string& path, Links links) {
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    Resolved resolved{path, {}};
    if (links == Links::kTrusted) {
      auto found = resolve(path);
      if (found) {
        resolved = std::move(*found);
      } else if (found.error().code() != Errc::kNotFound) {
        return std::move(found).error();
      }
    }
    const bool linked = resolved.path != path;
    TRY(const auto names, sibling_names(resolved.path, linked));
    std::vector<SeenFile> seen;
    bool vanished = false;
    for (const auto& name : names) {
      auto file = links == Links::kRefused ? open_plain(name.path, name.live)
                                           : open_resolved(resolved, name.path, name.live);
      if (!file && file.error().code() == Errc::kNotFound) {
        vanished = true;
        break;
      }
      const bool not_ours = links == Links::kTrusted && !name.live;
      if (!file && not_ours && file.error().code() == Errc::kDenied) continue;
      if (!file) return std::move(file).error();
      seen.push_back(std::move(*file));
    }
    if (vanished || !unmoved(seen)) continue;
    const auto again = sibling_names(resolved.path, linked);
    if (!again || *again != names) continue;
    if (!linked) return seen;
    const auto same = resolve(path);
    if (same && same->path == resolved.path) return seen;
  }
  return Error(Errc::kTimeout, "the files of " + path + " keep moving");
}

}  // namespace observeai::agent
