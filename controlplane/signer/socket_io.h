// Unix stream sockets with deadlines, for both ends of signer.sock. Blocking, one thread for each.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::controlplane::signer {

// Closes on destruction; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// What lies at `path` is removed first: the caller holds the state folder. Mode 0666, who may ask is told
// by peer_uid(). kInvalid: the path is too long.
Result<Descriptor> listen_at(const std::string& path);
// kUnavailable: nobody answers there.
Result<Descriptor> connect_to(const std::string& path);
// Of the process that connected. kDenied when the kernel does not say.
Result<unsigned> peer_uid(int fd);

using Deadline = std::chrono::steady_clock::time_point;
// All of `bytes`. kTimeout, kUnavailable when the other side has gone.
Result<void> send_all(int fd, std::string_view bytes, Deadline deadline);
// Appends what is there, at least one byte. kTimeout, kUnavailable when the other side has gone.
Result<void> receive_some(int fd, std::string& buffer, Deadline deadline);
// The other side has gone, or has sent what nobody asked for: not to be used again.
bool is_stale(int fd);

}  // namespace observeai::controlplane::signer
