// Which ports are listened on, by whom, in the host's network namespace and in the containers'.
// Reads /proc/<pid>/net/{tcp,tcp6,udp,udp6} of one process for each namespace; the owner of a
// socket is found among /proc/<pid>/fd, looked up only for sockets not seen before.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/discovery/proc_files.h"
#include "agent/discovery/proc_scanner.h"
#include "agent/runtime/paths.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct ListeningSocket {
  std::string address;
  std::uint32_t port = 0;
  std::uint64_t inode = 0;
};

// The listening sockets of a /proc/net/{tcp,tcp6} or {udp,udp6} text. UDP has no such state: bound,
// without a peer, and below `first_ephemeral_port` (above are clients, come and gone). Pure.
std::vector<ListeningSocket> parse_listening(std::string_view text, std::string_view protocol,
                                             std::uint32_t first_ephemeral_port);

struct PortScan {
  std::vector<wire::ListeningPort> ports;  // By key
  std::uint32_t namespaces = 0;
  // Without CAP_SYS_PTRACE the namespaces and sockets of others cannot be seen: not an error.
  std::uint32_t unreadable_processes = 0;
  std::uint32_t unknown_owners = 0;
  std::uint32_t over_limit = 0;
};

// Blocks: run it on the BlockingPool. Not thread-safe.
class PortScanner {
 public:
  static constexpr std::size_t kMaxPorts = 4'096;
  // Listening sockets come first in these files, so a host with more connections loses none of
  // them.
  static constexpr std::size_t kMaxFileBytes = 4U << 20;
  static constexpr std::size_t kMaxNamespaces = 1'024;

  explicit PortScanner(Paths paths);

  PortScan scan(const std::vector<ProcessRef>& processes);

 private:
  struct Namespace {
    std::vector<const ProcessRef*> members;  // By pid
  };
  struct Owner {
    std::uint32_t pid = 0;  // 0: looked for and not found
    std::uint64_t start_ticks = 0;
    std::uint64_t scan = 0;  // When looked for
  };
  struct Found {
    std::string protocol;
    ListeningSocket socket;
  };

  std::map<std::uint64_t, Namespace> group_by_namespace(const std::vector<ProcessRef>& processes,
                                                        PortScan& scan);
  std::vector<Found> read_namespace(const std::string& net);
  void find_owners(const Namespace& where, const std::vector<Found>& found);
  void look_into(const ProcessRef& process, std::map<std::uint64_t, Owner*>& missing);
  void add_ports(const Namespace& where, bool is_host, const std::vector<Found>& found,
                 PortScan& scan);

  const Paths paths_;
  const ProcDirectory proc_;
  std::uint64_t scan_ = 0;
  std::unordered_map<std::uint64_t, Owner> owners_;  // By socket inode
  std::unordered_map<std::uint32_t, std::uint64_t>
      running_;  // pid -> start of this scan's processes
  std::string buffer_;
};

}  // namespace observeai::agent
