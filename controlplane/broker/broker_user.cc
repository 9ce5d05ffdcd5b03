#include "controlplane/broker/broker_user.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "protocol/base/files.h"

namespace observeai::controlplane {

Result<std::optional<BrokerUser>> find_broker_user(const std::string& name) {
  if (::geteuid() != 0) return std::optional<BrokerUser>();
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Error(Errc::kNotFound, "there is no user '" + name +
                                      "' for the broker: install the package mosquitto, which "
                                      "brings the user mosquitto, or set broker.user");
  }
  if (entry.pw_uid == 0 || entry.pw_gid == 0) {
    return Error(Errc::kInvalid, "the broker does not run as '" + name +
                                     "', who can read every key: set broker.user to another user");
  }
  return std::optional(BrokerUser{entry.pw_uid, entry.pw_gid});
}

std::string user_in_config(const std::string& config) {
  constexpr std::string_view kLine = "\nuser ";
  const auto at = config.find(kLine);
  if (at == config.npos) return {};
  const auto begin = at + kLine.size();
  return config.substr(begin, config.find('\n', begin) - begin);
}

Result<void> let_broker_read(const std::string& path, const std::optional<BrokerUser>& user) {
  if (!user) return {};
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return files::from_errno("cannot look at " + path, errno);
  if (::chown(path.c_str(), static_cast<uid_t>(-1), user->gid) != 0 ||
      ::chmod(path.c_str(), S_ISDIR(info.st_mode) ? 0750 : 0640) != 0) {
    return files::from_errno("cannot let the broker read " + path, errno);
  }
  return {};
}

}  // namespace observeai::controlplane
