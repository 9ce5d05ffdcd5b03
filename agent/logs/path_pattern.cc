#include "agent/logs/path_pattern.h"

#include <fnmatch.h>
#include <sys/stat.h>

#include <string_view>

#include "agent/logs/unique_directory.h"

namespace observeai::agent {
namespace {

bool has_wildcard(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

class Expansion {
 public:
  explicit Expansion(const std::function<bool(const std::string&)>& may_touch)
      : may_touch_(may_touch) {}

  // `folder` ends with '/'; `rest` is the pattern of what is in it.
  void add(const std::string& folder, std::string_view rest) {
    const auto slash = rest.find('/');
    const bool last = slash == std::string_view::npos;
    const std::string name(rest.substr(0, slash));
    const auto below = last ? std::string_view() : rest.substr(slash + 1);
    if (!has_wildcard(name)) {
      const std::string path = folder + without_escapes(name);
      if (last) {
        add_file(path);
      } else {
        add(name.empty() ? folder : path + "/", below);
      }
      return;
    }
    for (const auto& path : matching(folder, name, !last)) {
      if (last) {
        out.push_back(path);
      } else {
        add(path + "/", below);
      }
    }
  }

  std::vector<std::string> out;

 private:
  void add_file(const std::string& path) {
    struct stat found {};
    if (may_touch_(path) && ::lstat(path.c_str(), &found) == 0) out.push_back(path);
  }

  std::vector<std::string> matching(const std::string& folder, const std::string& name,
                                    bool folders_only) const {
    std::vector<std::string> paths;
    if (!may_touch_(folder)) return paths;
    const UniqueDirectory directory(::opendir(folder.c_str()));
    if (!directory) return paths;
    while (const dirent* entry = ::readdir(directory.get())) {
      if (folders_only && entry->d_type != DT_DIR && entry->d_type != DT_LNK &&
          entry->d_type != DT_UNKNOWN)
        continue;
      if (::fnmatch(name.c_str(), entry->d_name, FNM_PERIOD) == 0)
        paths.push_back(folder + entry->d_name);
    }
    return paths;
  }

  const std::function<bool(const std::string&)>& may_touch_;
};

}  // namespace

std::vector<std::string> expand_pattern(const std::string& pattern,
                                        const std::function<bool(const std::string&)>& may_touch) {
  Expansion expansion(may_touch);
  if (pattern.starts_with('/')) expansion.add("/", std::string_view(pattern).substr(1));
  return std::move(expansion.out);
}

}  // namespace observeai::agent
