#include "agent/logs/mount_table.h"

#include <fcntl.h>
#include <poll.h>

#include "protocol/base/files.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxTableBytes = 64U << 20;  // A hundred thousand containers

}  // namespace

// proc(5): "mountinfo" is marked as having a priority event after each change.
bool MountTable::changed() {
  if (!fd_) fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  pollfd wait{fd_.get(), POLLPRI, 0};
  const bool told = fd_ && ::poll(&wait, 1, 0) > 0 && (wait.revents & (POLLPRI | POLLERR)) != 0;
  return told || unread_;
}

std::shared_ptr<const RemoteMounts> MountTable::mounts() {
  if (!changed()) return mounts_;
  const auto text = files::read(path_, kMaxTableBytes);
  unread_ = !text;
  const bool no_table = !text && text.error().code() == Errc::kNotFound && !mounts_;
  if (!text && !no_table) return mounts_;
  auto now = text ? RemoteMounts::parse(*text) : RemoteMounts();
  if (!mounts_ || *mounts_ != now) mounts_ = std::make_shared<const RemoteMounts>(std::move(now));
  return mounts_;
}

}  // namespace observeai::agent
