#include "agent/discovery/listening_ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::uint32_t kDefaultFirstEphemeral = 32'768;
// A socket without a known owner (a kernel thread's, or one we may not see) is looked for again
// only after so many scans.
constexpr std::uint64_t kRetryOwnerScans = 10;
constexpr const char* kProtocols[] = {"tcp", "tcp6", "udp", "udp6"};

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
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
  std::array<char, INET6_ADDRSTRLEN> out;
  ::inet_ntop(hex.size() == 8 ? AF_INET : AF_INET6, words.data(), out.data(), out.size());
  return std::string(out.data());
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

}  // namespace

std::vector<ListeningSocket> parse_listening(std::string_view text, std::string_view protocol,
                                             std::uint32_t first_ephemeral_port) {
  constexpr std::uint64_t kTcpListen = 0x0A;
  constexpr std::uint64_t kUdpUnconnected = 0x07;
  const bool is_udp = protocol.substr(0, 3) == "udp";
  std::vector<ListeningSocket> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
    std::array<std::string_view, 10> field;
    for (auto& value : field) value = take_field(line);
    const auto state = parse_hex(field[3]);
    const std::size_t colon = field[1].find(':');
    if (!state || colon == std::string_view::npos) continue;
    if (*state != (is_udp ? kUdpUnconnected : kTcpListen)) continue;
    const auto address = parse_address(field[1].substr(0, colon));
    const auto port = parse_hex(field[1].substr(colon + 1));
    const auto inode = text::parse_u64(field[9]);
    if (!address || !port || *port == 0 || *port > 65'535 || !inode) continue;
    if (is_udp && *port >= first_ephemeral_port) continue;
    out.push_back({*address, static_cast<std::uint32_t>(*port), *inode});
  }
  return out;
}

PortScanner::PortScanner(Paths paths) : paths_(std::move(paths)), proc_(paths_.proc) {}

PortScan PortScanner::scan(const std::vector<ProcessRef>& processes) {
  ++scan_;
  PortScan out;
  running_.clear();
  for (const auto& process : processes) running_.emplace(process.pid, process.start_ticks);

  const auto namespaces = group_by_namespace(processes, out);
  std::uint64_t host = 0;
  if (proc_.read_link("1/ns/net", buffer_) || proc_.read_link("self/ns/net", buffer_)) {
    host = bracketed_number(buffer_, "net").value_or(0);
  }
  std::unordered_map<std::uint64_t, Owner> still_there;
  const auto read = [&](const std::string& net, const Namespace& where, bool is_host) {
    const auto found = read_namespace(net);
    find_owners(where, found);
    add_ports(where, is_host, found, out);
    for (const auto& item : found)
      still_there.insert_or_assign(item.socket.inode, owners_[item.socket.inode]);
    ++out.namespaces;
  };
  if (!namespaces.contains(host)) {
    // Not even pid 1 may be looked into: our own namespace, whose sockets have no known owner.
    Namespace everyone;
    for (const auto& process : processes) everyone.members.push_back(&process);
    read("net", everyone, true);
  }
  for (const auto& [inode, where] : namespaces) {
    if (out.namespaces >= kMaxNamespaces) {
      ++out.over_limit;
      continue;
    }
    read(std::to_string(where.members.front()->pid) + "/net", where, inode == host);
  }
  owners_ = std::move(still_there);
  std::sort(out.ports.begin(), out.ports.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

std::map<std::uint64_t, PortScanner::Namespace> PortScanner::group_by_namespace(
    const std::vector<ProcessRef>& processes, PortScan& out) {
  std::map<std::uint64_t, Namespace> namespaces;
  for (const auto& process : processes) {
    const std::string link = std::to_string(process.pid) + "/ns/net";
    const auto inode =
        proc_.read_link(link.c_str(), buffer_) ? bracketed_number(buffer_, "net") : std::nullopt;
    if (inode) {
      namespaces[*inode].members.push_back(&process);
    } else {
      ++out.unreadable_processes;
    }
  }
  return namespaces;
}

std::vector<PortScanner::Found> PortScanner::read_namespace(const std::string& net) {
  std::uint32_t first_ephemeral = kDefaultFirstEphemeral;
  if (proc_.read("sys/net/ipv4/ip_local_port_range", buffer_, 64)) {
    const std::string_view first = std::string_view(buffer_).substr(0, buffer_.find('\t'));
    first_ephemeral = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(text::parse_u64(first).value_or(kDefaultFirstEphemeral), 65'536));
  }
  std::vector<Found> found;
  for (const char* protocol : kProtocols) {
    if (!proc_.read((net + "/" + protocol).c_str(), buffer_, kMaxFileBytes)) continue;
    for (auto& socket : parse_listening(buffer_, protocol, first_ephemeral)) {
      found.push_back({protocol, std::move(socket)});
    }
  }
  return found;
}

void PortScanner::find_owners(const Namespace& where, const std::vector<Found>& found) {
  std::map<std::uint64_t, Owner*> missing;
  for (const auto& item : found) {
    Owner& owner = owners_[item.socket.inode];
    const auto process = running_.find(owner.pid);
    if (process != running_.end() && process->second == owner.start_ticks) continue;
    const bool just_tried =
        owner.scan > 0 && owner.pid == 0 && owner.scan + kRetryOwnerScans > scan_;
    if (just_tried) continue;
    owner = Owner();
    owner.scan = scan_;
    missing.emplace(item.socket.inode, &owner);
  }
  // The first process wins: of a server's processes that share a socket that is the parent. Pid 1
  // comes last, for it holds the sockets that it starts services with.
  const ProcessRef* init = nullptr;
  for (const ProcessRef* process : where.members) {
    if (missing.empty()) return;
    if (process->pid == 1) {
      init = process;
    } else {
      look_into(*process, missing);
    }
  }
  if (init != nullptr && !missing.empty()) look_into(*init, missing);
}

void PortScanner::look_into(const ProcessRef& process, std::map<std::uint64_t, Owner*>& missing) {
  const std::string path = std::to_string(process.pid) + "/fd";
  const int fd = ::openat(proc_.fd(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd < 0 ? nullptr : ::fdopendir(fd);
  if (directory == nullptr) {
    if (fd >= 0) ::close(fd);
    return;
  }
  std::array<char, 64> target;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const ssize_t size = ::readlinkat(fd, entry->d_name, target.data(), target.size());
    if (size <= 0) continue;
    const auto inode =
        bracketed_number(std::string_view(target.data(), static_cast<std::size_t>(size)), "socket");
    const auto wanted = inode ? missing.find(*inode) : missing.end();
    if (wanted == missing.end()) continue;
    wanted->second->pid = process.pid;
    wanted->second->start_ticks = process.start_ticks;
    missing.erase(wanted);
    if (missing.empty()) break;
  }
  ::closedir(directory);
}

void PortScanner::add_ports(const Namespace& where, bool is_host, const std::vector<Found>& found,
                            PortScan& out) {
  std::string container_of_namespace;
  for (const ProcessRef* process : where.members) {
    if (!is_host && container_of_namespace.empty()) container_of_namespace = process->container_id;
  }
  std::map<std::string, wire::ListeningPort> by_key;
  for (const auto& [protocol, socket] : found) {
    wire::ListeningPort port;
    port.protocol = protocol;
    port.address = socket.address;
    port.port = socket.port;
    port.pid = owners_[socket.inode].pid;
    port.container_id = container_of_namespace;
    const auto owner = std::lower_bound(
        where.members.begin(), where.members.end(), port.pid,
        [](const ProcessRef* process, std::uint32_t pid) { return process->pid < pid; });
    if (port.pid != 0 && owner != where.members.end() && (*owner)->pid == port.pid) {
      port.process = text::replace_invalid_utf8((*owner)->comm);
      if (!(*owner)->container_id.empty()) port.container_id = (*owner)->container_id;
    }
    port.key = protocol + "/" + socket.address + "/" + std::to_string(socket.port);
    if (!is_host && !port.container_id.empty()) port.key += "@" + port.container_id;
    // Sockets that share a port (SO_REUSEPORT) are one; the one with a known owner tells more.
    auto& kept = by_key[port.key];
    if (kept.key.empty() || kept.pid == 0) kept = std::move(port);
  }
  for (auto& [key, port] : by_key) {
    out.unknown_owners += port.pid == 0 ? 1 : 0;
    if (out.ports.size() < kMaxPorts) {
      out.ports.push_back(std::move(port));
    } else {
      ++out.over_limit;
    }
  }
}

}  // namespace observeai::agent
