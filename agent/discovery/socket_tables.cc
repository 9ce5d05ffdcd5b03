#include "agent/discovery/socket_tables.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

// States of include/net/tcp_states.h, which UDP sockets use as well.
constexpr std::uint32_t kTcpListen = 0x0A;
constexpr std::uint32_t kUdpUnconnected = 0x07;

bool is_udp(std::string_view protocol) {
  return protocol.substr(0, 3) == "udp";
}

std::uint32_t wanted_state(std::string_view protocol) {
  return is_udp(protocol) ? kUdpUnconnected : kTcpListen;
}

bool is_service(std::string_view protocol, std::uint64_t port, std::uint32_t first_ephemeral_port) {
  if (port == 0 || port > 65'535) return false;
  return !is_udp(protocol) || port < first_ephemeral_port;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string printed_address(int family, const std::uint32_t* words) {
  std::array<char, INET6_ADDRSTRLEN> out;
  ::inet_ntop(family, words, out.data(), out.size());
  return std::string(out.data());
}

// "0100007F" -> "127.0.0.1": words as the kernel holds them in memory, printed on this host.
std::optional<std::string> parse_address(std::string_view hex) {
  std::array<std::uint32_t, 4> words{};
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    const auto word = parse_hex(hex.substr(i * 8, 8));
    if (!word) return std::nullopt;
    words[i] = static_cast<std::uint32_t>(*word);
  }
  return printed_address(hex.size() == 8 ? AF_INET : AF_INET6, words.data());
}

// The next field of a line; fields are separated by runs of spaces.
std::string_view take_field(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end);
  return field;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// A value at `offset` of bytes that promise no alignment; the caller has checked the length.
template <class T>
T value_at(std::string_view bytes, std::size_t offset = 0) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::vector<ListeningSocket> parse_listening(std::string_view text, std::string_view protocol,
                                             std::uint32_t first_ephemeral_port) {
  std::vector<ListeningSocket> out;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    // sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
    std::array<std::string_view, 10> field;
    for (auto& value : field) value = take_field(line);
    const auto state = parse_hex(field[3]);
    const std::size_t colon = field[1].find(':');
    if (state != wanted_state(protocol) || colon == std::string_view::npos) continue;
    const auto address = parse_address(field[1].substr(0, colon));
    const auto port = parse_hex(field[1].substr(colon + 1));
    const auto inode = text::parse_u64(field[9]);
    if (!address || !port || !inode) continue;
    if (!is_service(protocol, *port, first_ephemeral_port)) continue;
    out.push_back({*address, static_cast<std::uint32_t>(*port), *inode});
  }
  return out;
}

bool add_socket_counts(std::string_view text, SocketCounts& counts) {
  bool any = false;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::string_view name = take_field(line);
    const bool tcp = name == "TCP:" || name == "TCP6:";
    if (!tcp && name != "UDP:" && name != "UDP6:") continue;
    if (take_field(line) != "inuse") continue;
    const auto number = text::parse_u64(take_field(line));
    if (!number) continue;
    (tcp ? counts.tcp : counts.udp) += *number;
    any = true;
  }
  return any;
}

std::string socket_dump_request(std::string_view protocol, std::uint32_t sequence) {
  nlmsghdr header{};
  inet_diag_req_v2 request{};
  header.nlmsg_len = sizeof header + sizeof request;
  header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_seq = sequence;
  request.sdiag_family = protocol.back() == '6' ? AF_INET6 : AF_INET;
  request.sdiag_protocol = is_udp(protocol) ? IPPROTO_UDP : IPPROTO_TCP;
  request.idiag_states = 1U << wanted_state(protocol);
  std::string out;
  append(out, header);
  append(out, request);
  return out;
}

Result<bool> parse_socket_dump(std::string_view datagram, std::string_view protocol,
                               std::uint32_t sequence, std::uint32_t first_ephemeral_port,
                               std::vector<ListeningSocket>& out) {
  while (!datagram.empty()) {
    if (datagram.size() < sizeof(nlmsghdr)) return Error(Errc::kInvalid, "a cut netlink header");
    const auto header = value_at<nlmsghdr>(datagram);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) {
      return Error(Errc::kInvalid, "a netlink message of an impossible length");
    }
    const std::string_view body = datagram.substr(sizeof header, header.nlmsg_len - sizeof header);
    const std::size_t padded =
        (std::size_t{header.nlmsg_len} + NLMSG_ALIGNTO - 1) & ~(std::size_t{NLMSG_ALIGNTO} - 1);
    datagram.remove_prefix(std::min(padded, datagram.size()));
    if (header.nlmsg_seq != sequence) continue;
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
      // Both begin with an error number, which is 0 at the end of a complete dump.
      const int number = body.size() >= sizeof(int) ? value_at<int>(body) : 0;
      if (number >= 0) return true;
      return Error(Errc::kUnavailable, "sock_diag: error " + std::to_string(number));
    }
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) continue;
    if (body.size() < sizeof(inet_diag_msg)) return Error(Errc::kInvalid, "a cut socket");
    const auto socket = value_at<inet_diag_msg>(body);
    const std::uint32_t port = ntohs(socket.id.idiag_sport);
    if (socket.idiag_state != wanted_state(protocol)) continue;
    if (!is_service(protocol, port, first_ephemeral_port)) continue;
    const int family = protocol.back() == '6' ? AF_INET6 : AF_INET;
    if (socket.idiag_family != family) continue;
    out.push_back({printed_address(family, socket.id.idiag_src), port, socket.idiag_inode});
  }
  return false;
}

Result<SocketDump> SocketDump::open() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return Error(Errc::kUnavailable, std::string("sock_diag: ") + std::strerror(errno));
  const timeval patience{1, 0};  // The kernel answers at once; this is for the day it does not.
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return SocketDump(fd);
}

SocketDump::~SocketDump() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::vector<ListeningSocket>> SocketDump::listening(std::string_view protocol,
                                                           std::uint32_t first_ephemeral_port) {
  const std::string request = socket_dump_request(protocol, ++sequence_);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_, request.data(), request.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
               sizeof kernel) < 0) {
    return Error(Errc::kUnavailable, std::string("sock_diag: ") + std::strerror(errno));
  }
  std::vector<ListeningSocket> out;
  std::array<char, 32 * 1024> buffer;  // The kernel fills no more than this at a time.
  while (out.size() < kMaxSockets) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t got = ::recvfrom(fd_, buffer.data(), buffer.size(), MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return Error(Errc::kUnavailable, std::string("sock_diag: ") + std::strerror(errno));
    if (from.nl_pid != 0) continue;  // Not the kernel
    if (static_cast<std::size_t>(got) > buffer.size()) {
      return Error(Errc::kInvalid, "sock_diag: a datagram larger than the kernel sends");
    }
    TRY(const bool complete,
        parse_socket_dump(std::string_view(buffer.data(), static_cast<std::size_t>(got)), protocol,
                          sequence_, first_ephemeral_port, out));
    if (complete) break;
  }
  return out;
}

}  // namespace observeai::agent
