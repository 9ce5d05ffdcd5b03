#include "agent/discovery/listening_ports.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::uint32_t kDefaultFirstEphemeral = 32'768;
// A socket without a known owner (a kernel thread's, or one we may not see) is looked for again
// only after so many scans.
constexpr std::uint64_t kRetryOwnerScans = 10;
// A process seldom changes its namespace, except in its first moments: it is looked at in each of its
// first scans, afterwards by turns.
constexpr std::uint32_t kFirstLooks = 3;
constexpr std::uint64_t kLookTurns = 12;
constexpr std::size_t kMaxSockstatBytes = 4096;

std::chrono::nanoseconds thread_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// FNV-1a, a word at a time: only to notice that something changed.
std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * 0x0000'0100'0000'01B3ULL;
}

}  // namespace

OwnNamespace own_namespace() {
  auto opened = SocketDump::open();
  const ProcDirectory proc("/proc");
  std::string link;
  const auto inode =
      proc.read_link("self/ns/net", link) ? bracketed_number(link, "net") : std::nullopt;
  if (!opened || !inode) return {};
  auto dump = std::make_shared<SocketDump>(std::move(*opened));
  return {*inode, [dump](std::string_view protocol, std::uint32_t first_ephemeral_port) {
            return dump->listening(protocol, first_ephemeral_port);
          }};
}

PortScanner::PortScanner(Paths paths, OwnNamespace own)
    : paths_(std::move(paths)), own_(std::move(own)), proc_(paths_.proc) {}

PortScan PortScanner::scan(const std::vector<ProcessRef>& processes, SteadyTime now) {
  ++scan_;
  PortScan out;
  std::uint64_t host = 0;
  if (proc_.read_link("1/ns/net", buffer_) || proc_.read_link("self/ns/net", buffer_)) {
    host = bracketed_number(buffer_, "net").value_or(0);
  }
  group_by_namespace(processes, host, out);
  read_tables(now, out);

  std::unordered_map<std::uint64_t, Owner> still_there;
  for (const auto& [inode, where] : namespaces_) {
    find_owners(where);
    add_ports(where, inode == host, out);
    for (const auto& item : where.found)
      still_there.insert_or_assign(item.socket.inode, owners_[item.socket.inode]);
    ++out.namespaces;
  }
  owners_ = std::move(still_there);
  std::sort(out.ports.begin(), out.ports.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

void PortScanner::group_by_namespace(const std::vector<ProcessRef>& processes, std::uint64_t host,
                                     PortScan& out) {
  for (auto& [inode, where] : namespaces_) where.members.clear();
  std::set<std::uint64_t> beyond;
  for (const auto& process : processes) {
    const auto inode = namespace_of(process);
    if (!inode) {
      ++out.unreadable_processes;
    } else if (namespaces_.contains(*inode) || namespaces_.size() < kMaxNamespaces) {
      namespaces_[*inode].members.push_back(&process);
    } else {
      beyond.insert(*inode);
    }
  }
  out.over_limit += static_cast<std::uint32_t>(beyond.size());
  std::erase_if(members_, [this](const auto& item) { return item.second.scan != scan_; });
  std::erase_if(namespaces_, [host](const auto& item) {
    return item.first != host && item.second.members.empty();
  });
  // Not even pid 1 may be looked into: our own namespace, whose sockets have no known owner.
  auto& ours = namespaces_[host];
  ours.unreadable = ours.members.empty();
  if (!ours.unreadable) return;
  for (const auto& process : processes) ours.members.push_back(&process);
}

std::optional<std::uint64_t> PortScanner::namespace_of(const ProcessRef& process) {
  Member& member = members_[process.pid];
  if (member.start_ticks != process.start_ticks) {
    member = Member();
    member.start_ticks = process.start_ticks;
  }
  member.scan = scan_;
  const bool settled = member.looks >= kFirstLooks;
  if (settled && process.pid % kLookTurns != scan_ % kLookTurns) return member.net;
  if (!settled) ++member.looks;
  const std::string link = std::to_string(process.pid) + "/ns/net";
  member.net =
      proc_.read_link(link.c_str(), buffer_) ? bracketed_number(buffer_, "net") : std::nullopt;
  return member.net;
}

void PortScanner::read_tables(SteadyTime now, PortScan& out) {
  const std::uint32_t first_ephemeral = first_ephemeral_port();
  std::vector<NamespaceTurns::Look> looks;
  std::vector<std::pair<Namespace*, std::string>> places;
  for (auto& [inode, where] : namespaces_) {
    const bool is_ours = inode != 0 && inode == own_.inode;
    if (is_ours && dump_own(where, first_ephemeral)) {
      ++out.tables_read;
      continue;
    }
    std::string net =
        where.unreadable ? "net" : std::to_string(where.members.front()->pid) + "/net";
    looks.push_back(look_at(inode, where, net));
    places.emplace_back(&where, std::move(net));
  }
  for (const std::size_t i : turns_.due(looks, now)) {
    if (!turns_.admits(looks[i])) continue;
    const auto before = thread_time();
    read_namespace(*places[i].first, places[i].second, first_ephemeral);
    turns_.was_read(looks[i], now, thread_time() - before);
    ++out.tables_read;
  }
}

// While all of its processes rest, a namespace's sockets are counted by turns, as the processes are read.
NamespaceTurns::Look PortScanner::look_at(std::uint64_t inode, Namespace& where,
                                          const std::string& net) {
  NamespaceTurns::Look look;
  look.inode = inode;
  bool rests = true;
  for (const ProcessRef* process : where.members) {
    look.members = mixed(mixed(look.members, process->pid), process->start_ticks);
    rests = rests && process->rests;
  }
  const bool turn = inode % ProcScanner::kRestingTurns == scan_ % ProcScanner::kRestingTurns;
  if (rests && !turn && where.look.members == look.members) return where.look;
  for (const char* name : {"/sockstat", "/sockstat6"}) {
    if (proc_.read((net + name).c_str(), buffer_, kMaxSockstatBytes)) {
      add_socket_counts(buffer_, look.counts);
    }
  }
  where.look = look;
  return look;
}

bool PortScanner::dump_own(Namespace& where, std::uint32_t first_ephemeral) {
  std::vector<Found> found;
  for (const char* protocol : kSocketProtocols) {
    auto sockets = own_.listening(protocol, first_ephemeral);
    if (!sockets) return false;
    for (auto& socket : *sockets) found.push_back({protocol, std::move(socket)});
  }
  where.found = std::move(found);
  return true;
}

void PortScanner::read_namespace(Namespace& where, const std::string& net,
                                 std::uint32_t first_ephemeral) {
  where.found.clear();
  for (const char* protocol : kSocketProtocols) {
    if (!proc_.read((net + "/" + protocol).c_str(), buffer_, kMaxFileBytes)) continue;
    for (auto& socket : parse_listening(buffer_, protocol, first_ephemeral)) {
      where.found.push_back({protocol, std::move(socket)});
    }
  }
}

std::uint32_t PortScanner::first_ephemeral_port() {
  if (!proc_.read("sys/net/ipv4/ip_local_port_range", buffer_, 64)) return kDefaultFirstEphemeral;
  const std::string_view first = std::string_view(buffer_).substr(0, buffer_.find('\t'));
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(text::parse_u64(first).value_or(kDefaultFirstEphemeral), 65'536));
}

bool PortScanner::is_running(const Owner& owner) const {
  const auto member = members_.find(owner.pid);
  return member != members_.end() && member->second.start_ticks == owner.start_ticks;
}

// Notes how far to look now.
bool PortScanner::is_looked_for(Owner& owner) const {
  if (is_running(owner)) return false;
  const bool is_new = owner.scan == 0;
  const bool had_one = owner.pid != 0;  // Whoever shared the socket with it may rest since long.
  if (!is_new && !had_one && owner.everywhere && owner.scan + kRetryOwnerScans > scan_)
    return false;
  owner = Owner();
  owner.scan = scan_;
  owner.everywhere = !is_new;
  return true;
}

void PortScanner::find_owners(const Namespace& where) {
  std::map<std::uint64_t, Owner*> missing;
  bool everywhere = false;
  for (const auto& item : where.found) {
    Owner& owner = owners_[item.socket.inode];
    if (!is_looked_for(owner)) continue;
    everywhere = everywhere || owner.everywhere;
    missing.emplace(item.socket.inode, &owner);
  }
  // The first process wins: of a server's processes that share a socket that is the parent. Pid 1
  // comes last, for it holds the sockets that it starts services with.
  const ProcessRef* init = nullptr;
  for (const ProcessRef* process : where.members) {
    if (missing.empty()) return;
    if (process->pid == 1) {
      init = process;
    } else if (everywhere || !process->rests) {
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

void PortScanner::add_ports(const Namespace& where, bool is_host, PortScan& out) {
  std::string container_of_namespace;
  for (const ProcessRef* process : where.members) {
    if (!is_host && container_of_namespace.empty()) container_of_namespace = process->container_id;
  }
  std::map<std::string, wire::ListeningPort> by_key;
  for (const auto& [protocol, socket] : where.found) {
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
