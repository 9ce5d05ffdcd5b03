// Which ports are listened on, by whom, in the host's network namespace and in the containers'.
//
// In our own namespace the kernel is asked for a dump of the listening sockets. Every other one is read
// from /proc/<pid>/net/{tcp,tcp6,udp,udp6} of one of its processes, which is dear (socket_tables.h), so
// only when its processes or its number of sockets changed, as far as NamespaceTurns admits. The owner
// of a socket is found among /proc/<pid>/fd, looked up only for sockets not seen before: at once among
// processes that do something, in the next scan among all, for a walk over all of them is dear and most
// sockets without an owner are gone by then.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/discovery/namespace_turns.h"
#include "agent/discovery/proc_files.h"
#include "agent/discovery/proc_scanner.h"
#include "agent/discovery/socket_tables.h"
#include "agent/runtime/paths.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct PortScan {
  std::vector<wire::ListeningPort> ports;  // By key
  std::uint32_t namespaces = 0;
  std::uint32_t tables_read = 0;  // Of how many namespaces; the others are as they were
  // Without CAP_SYS_PTRACE the namespaces and sockets of others cannot be seen: not an error.
  std::uint32_t unreadable_processes = 0;
  std::uint32_t unknown_owners = 0;
  std::uint32_t over_limit = 0;
};

// The sockets of one namespace without a walk over its tables.
struct OwnNamespace {
  std::uint64_t inode = 0;  // 0: none
  std::function<Result<std::vector<ListeningSocket>>(std::string_view protocol,
                                                     std::uint32_t first_ephemeral_port)>
      listening;
};
// Ours, by sock_diag; none where the kernel or a sandbox does not allow it.
OwnNamespace own_namespace();

// Blocks: run it on the BlockingPool. Not thread-safe.
class PortScanner {
 public:
  static constexpr std::size_t kMaxPorts = 4'096;
  // Listening sockets come first in these files, so a host with more connections loses none of
  // them.
  static constexpr std::size_t kMaxFileBytes = 4U << 20;
  static constexpr std::size_t kMaxNamespaces = 1'024;

  explicit PortScanner(Paths paths, OwnNamespace own = {});

  PortScan scan(const std::vector<ProcessRef>& processes, SteadyTime now);

 private:
  struct Found {
    std::string protocol;
    ListeningSocket socket;
  };
  struct Namespace {
    std::vector<const ProcessRef*> members;  // By pid; of this scan
    std::vector<Found> found;                // When its tables were last read
    NamespaceTurns::Look look;               // The last one
    bool unreadable = false;  // Through a process: it is ours, whose members are all there are
  };
  struct Owner {
    std::uint32_t pid = 0;  // 0: looked for and not found
    std::uint64_t start_ticks = 0;
    std::uint64_t scan = 0;   // When looked for
    bool everywhere = false;  // Also among the processes that rest
  };
  struct Member {  // A process, with the namespace it was last seen in
    std::uint64_t start_ticks = 0;
    std::uint64_t scan = 0;  // The newest it was in
    std::uint32_t looks = 0;
    std::optional<std::uint64_t> net;  // nullopt: not readable
  };

  void group_by_namespace(const std::vector<ProcessRef>& processes, std::uint64_t host,
                          PortScan& scan);
  std::optional<std::uint64_t> namespace_of(const ProcessRef& process);
  void read_tables(SteadyTime now, PortScan& scan);
  NamespaceTurns::Look look_at(std::uint64_t inode, Namespace& where, const std::string& net);
  bool dump_own(Namespace& where, std::uint32_t first_ephemeral);
  void read_namespace(Namespace& where, const std::string& net, std::uint32_t first_ephemeral);
  std::uint32_t first_ephemeral_port();
  bool is_running(const Owner& owner) const;
  void find_owners(const Namespace& where);
  bool is_looked_for(Owner& owner) const;
  void look_into(const ProcessRef& process, std::map<std::uint64_t, Owner*>& missing);
  void add_ports(const Namespace& where, bool is_host, PortScan& scan);

  const Paths paths_;
  const OwnNamespace own_;
  const ProcDirectory proc_;
  std::uint64_t scan_ = 0;
  NamespaceTurns turns_;
  std::map<std::uint64_t, Namespace> namespaces_;    // By inode; 0: our own, when none can be read
  std::unordered_map<std::uint64_t, Owner> owners_;  // By socket inode
  std::unordered_map<std::uint32_t, Member> members_;  // By pid
  std::string buffer_;
};

}  // namespace observeai::agent
