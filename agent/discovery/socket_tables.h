// The sockets that somebody may connect to, in the two forms in which the kernel lists them: the text
// of /proc/net/{tcp,tcp6,udp,udp6} and the messages of NETLINK_SOCK_DIAG. The parsers are pure.
//
// Reading /proc/net/tcp walks the table of established connections, whose size follows the machine's
// memory: 4 ms on 24 GiB, whatever the number of connections. A dump of the state LISTEN does not, but
// shows only the network namespace that the asking socket was made in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent {

// "tcp", "tcp6", "udp", "udp6": as the files below /proc/net are called.
inline constexpr const char* kSocketProtocols[] = {"tcp", "tcp6", "udp", "udp6"};

struct ListeningSocket {
  std::string address;
  std::uint32_t port = 0;
  std::uint64_t inode = 0;
};

// The listening sockets of a /proc/net text. UDP has no such state: bound, without a peer, and below
// `first_ephemeral_port` (above are clients, come and gone).
std::vector<ListeningSocket> parse_listening(std::string_view text, std::string_view protocol,
                                             std::uint32_t first_ephemeral_port);

// The request for a dump of what parse_listening would give.
std::string socket_dump_request(std::string_view protocol, std::uint32_t sequence);

// Adds the sockets of one received datagram to `out`, by the same rule; the answer to another request
// is left out. True when the dump is complete. kInvalid: cut or impossible lengths; kUnavailable: the
// kernel refuses.
Result<bool> parse_socket_dump(std::string_view datagram, std::string_view protocol,
                               std::uint32_t sequence, std::uint32_t first_ephemeral_port,
                               std::vector<ListeningSocket>& out);

// How many sockets a network namespace uses, from /proc/<pid>/net/sockstat{,6}: cheap to read, and
// other numbers mean that the tables have changed (the same ones do not prove the contrary).
struct SocketCounts {
  std::uint64_t tcp = 0, udp = 0;
  bool operator==(const SocketCounts&) const = default;
};
// Adds what one of the two texts says; false when it holds no such line.
bool add_socket_counts(std::string_view text, SocketCounts& counts);

// Asks the kernel for the sockets of the namespace this process was in when it was opened. Does not
// hang: the kernel answers within the call. Not thread-safe.
class SocketDump {
 public:
  // More than any host listens on; a dump that goes on beyond is cut there.
  static constexpr std::size_t kMaxSockets = 65'536;

  // kUnavailable without NETLINK_SOCK_DIAG (a kernel without it, or a sandbox).
  static Result<SocketDump> open();
  ~SocketDump();
  SocketDump(SocketDump&& other) noexcept : fd_(other.fd_), sequence_(other.sequence_) {
    other.fd_ = -1;
  }
  SocketDump(const SocketDump&) = delete;

  Result<std::vector<ListeningSocket>> listening(std::string_view protocol,
                                                 std::uint32_t first_ephemeral_port);

 private:
  explicit SocketDump(int fd) : fd_(fd) {}

  int fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace observeai::agent
