#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>

#include "agent/discovery/listening_ports.h"
#include "tests/unit/agent/discovery/proc_tree.h"

using namespace observeai;
using namespace observeai::agent;
using Tree = observeai::test::ProcTree;

namespace {

const std::string kA = std::string(32, 'a') + std::string(32, '0');

std::string row(const std::string& address, int inode) {
  return "   0: " + address +
         " 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 " +
         std::to_string(inode) + " 1 0\n";
}

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string message(std::uint16_t type, std::uint32_t sequence, const std::string& body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = type;
  header.nlmsg_seq = sequence;
  return bytes_of(header) + body;
}

std::string socket_message(std::uint32_t sequence, std::uint8_t state, std::uint16_t port,
                           std::uint32_t inode) {
  inet_diag_msg socket{};
  socket.idiag_family = AF_INET;
  socket.idiag_state = state;
  socket.id.idiag_sport = htons(port);
  socket.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
  socket.idiag_inode = inode;
  return message(SOCK_DIAG_BY_FAMILY, sequence, bytes_of(socket));
}

// Namespaces of one process each, whose tables hold one socket.
struct ManyNamespaces : Tree {
  std::vector<ProcessRef> processes;
  ManualClock clock;

  void add(int pid, int port) {
    const std::string at = "proc/" + std::to_string(pid);
    char address[32];
    std::snprintf(address, sizeof address, "00000000:%04X", port);
    write(at + "/net/tcp", "head\n" + row(address, 10'000 + pid));
    counts(pid, 1);
    link(at + "/ns/net", "net:[" + std::to_string(5'000 + pid) + "]");
    std::filesystem::create_directories(dir / (at + "/fd"));
    processes.push_back({static_cast<std::uint32_t>(pid), 7, "app", ""});
  }
  void counts(int pid, int tcp) const {
    write("proc/" + std::to_string(pid) + "/net/sockstat",
          "sockets: used 9\nTCP: inuse " + std::to_string(tcp) + " orphan 0\nUDP: inuse 0\n");
  }
};

}  // namespace

TEST_CASE("the kernel's socket tables") {
  const std::string header =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n";
  const std::string tcp = header +
                          "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
                          "00000000     0        0 111 1 0 100\n"
                          "   1: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 "
                          "00000000  1000        0 222 1 0\n"
                          "   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 "
                          "00000000     0        0 333 1 0\n"
                          "   3: 0100007F:XXXX 00000000:0000 0A 0 0 0 0 0 444\n"
                          "   4: 0100007F:0000 00000000:0000 0A 00000000:00000000 00:00000000 "
                          "00000000     0        0 555 1 0\n"
                          "   5: short\n";
  const auto found = parse_listening(tcp, "tcp", 32'768);
  REQUIRE(found.size() == 2);
  CHECK(found[0].address == "127.0.0.1");
  CHECK(found[0].port == 8080);
  CHECK(found[0].inode == 111);
  CHECK(found[1].address == "0.0.0.0");
  CHECK(found[1].port == 443);
  const auto six = parse_listening(
      header +
          "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A "
          "00000000:00000000 00:00000000 00000000     0        0 9 1 0\n",
      "tcp6", 32'768);
  REQUIRE(six.size() == 1);
  CHECK(six[0].address == "::1");
  const auto udp = parse_listening(header +
                                       "  1: 00000000:0035 00000000:0000 07 00000000:00000000 "
                                       "00:00000000 00000000     0        0 7 2 0\n"
                                       "  2: 00000000:C350 00000000:0000 07 00000000:00000000 "
                                       "00:00000000 00000000     0        0 8 2 0\n"
                                       "  3: 00000000:0036 0100007F:0035 01 00000000:00000000 "
                                       "00:00000000 00000000     0        0 9 2 0\n",
                                   "udp", 32'768);
  REQUIRE(udp.size() == 1);  // A client's ephemeral port and a connected socket are no services.
  CHECK(udp[0].port == 53);
}

TEST_CASE_FIXTURE(Tree, "ports have owners, in the host's namespace and in a container's") {
  ManualClock clock;
  const std::string header = "  sl  local_address ...\n";
  for (const int pid : {1, 20, 21, 30}) {
    write("proc/" + std::to_string(pid) + "/net/tcp",
          header + (pid == 30 ? row("00000000:1F90", 300)
                              : row("00000000:0050", 200) + row("00000000:0016", 100) +
                                    row("0100007F:0019", 999)));
    link("proc/" + std::to_string(pid) + "/ns/net", pid == 30 ? "net:[5002]" : "net:[5001]");
    std::filesystem::create_directories(dir / ("proc/" + std::to_string(pid) + "/fd"));
  }
  link("proc/1/fd/3", "socket:[100]");  // Held by init for a service that has not started, and
  link("proc/1/fd/4", "socket:[200]");  // one that it passed on.
  link("proc/20/fd/6", "socket:[200]");
  link("proc/20/fd/0", "/dev/null");
  link("proc/21/fd/6", "socket:[200]");  // A worker that shares it
  link("proc/30/fd/5", "socket:[300]");
  std::vector<ProcessRef> processes = {
      {1, 1, "systemd", ""}, {20, 5, "nginx", ""}, {21, 6, "nginx", ""}, {30, 7, "app", kA}};
  PortScanner scanner(paths);
  auto scan = scanner.scan(processes, clock.steady_now());
  CHECK(scan.namespaces == 2);
  CHECK(scan.unknown_owners == 1);
  REQUIRE(scan.ports.size() == 4);
  CHECK(scan.ports[0].key == "tcp/0.0.0.0/22");
  CHECK(scan.ports[0].pid == 1);
  CHECK(scan.ports[1].key == "tcp/0.0.0.0/80");
  CHECK(scan.ports[1].pid == 20);
  CHECK(scan.ports[1].process == "nginx");
  CHECK(scan.ports[2].key == "tcp/0.0.0.0/8080@" + kA);
  CHECK(scan.ports[2].pid == 30);
  CHECK(scan.ports[2].container_id == kA);
  CHECK(scan.ports[3].key == "tcp/127.0.0.1/25");
  CHECK(scan.ports[3].pid == 0);

  // The owner ends and a sibling keeps the socket.
  processes.erase(processes.begin() + 1);
  scan = scanner.scan(processes, clock.steady_now());
  CHECK(scan.ports[1].pid == 21);
  // A process without a readable namespace is counted and does no harm.
  std::filesystem::remove(dir / "proc/30/ns/net");
  scan = scanner.scan(processes, clock.steady_now());
  CHECK(scan.unreadable_processes == 1);
  CHECK(scan.ports.size() == 3);
}

TEST_CASE_FIXTURE(Tree, "without any privilege our own namespace is still read") {
  write("proc/net/tcp",
        "head\n   0: 00000000:0050 00000000:0000 0A 0:0 00:0 0     0        0 200 1 0\n");
  PortScanner scanner(paths);
  const auto scan = scanner.scan({{20, 5, "nginx", ""}}, SteadyTime{});
  CHECK(scan.unreadable_processes == 1);
  REQUIRE(scan.ports.size() == 1);
  CHECK(scan.ports[0].key == "tcp/0.0.0.0/80");
}

TEST_CASE("a dump of sockets by netlink") {
  constexpr std::uint32_t kSequence = 7;
  std::vector<ListeningSocket> out;
  const std::string done = message(NLMSG_DONE, kSequence, bytes_of(0));
  SUBCASE("listening ones are taken, in one datagram or several") {
    const std::string first =
        socket_message(kSequence, 10, 80, 1) + socket_message(kSequence, 1, 80, 2);
    auto complete = parse_socket_dump(first, "tcp", kSequence, 32'768, out);
    REQUIRE(complete);
    CHECK_FALSE(*complete);
    complete = parse_socket_dump(socket_message(kSequence, 10, 443, 3) + done, "tcp", kSequence,
                                 32'768, out);
    REQUIRE(complete);
    CHECK(*complete);
    REQUIRE(out.size() == 2);
    CHECK(out[0].address == "127.0.0.1");
    CHECK(out[0].port == 80);
    CHECK(out[0].inode == 1);
    CHECK(out[1].port == 443);
  }
  SUBCASE("UDP: bound and below the ephemeral ports") {
    const std::string all = socket_message(kSequence, 7, 53, 1) +
                            socket_message(kSequence, 7, 40'000, 2) +
                            socket_message(kSequence, 7, 0, 3) + done;
    REQUIRE(parse_socket_dump(all, "udp", kSequence, 32'768, out));
    REQUIRE(out.size() == 1);
    CHECK(out[0].port == 53);
  }
  SUBCASE("the late answer to an earlier request is left out") {
    const auto complete = parse_socket_dump(
        socket_message(kSequence - 1, 10, 80, 1) + message(NLMSG_DONE, kSequence - 1, bytes_of(0)),
        "tcp", kSequence, 32'768, out);
    REQUIRE(complete);
    CHECK_FALSE(*complete);
    CHECK(out.empty());
  }
  SUBCASE("a refusal is an error, in the form of either message") {
    for (const std::uint16_t type : {NLMSG_DONE, NLMSG_ERROR}) {
      const auto refused =
          parse_socket_dump(message(type, kSequence, bytes_of(-2)), "tcp", kSequence, 32'768, out);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code() == Errc::kUnavailable);
    }
  }
  SUBCASE("cut anywhere it is an error or incomplete, never a read beyond") {
    const std::string all = socket_message(kSequence, 10, 80, 1) + done;
    for (std::size_t size = 0; size < all.size(); ++size) {
      const auto cut = parse_socket_dump(std::string(all, 0, size), "tcp", kSequence, 32'768, out);
      CHECK((!cut || !*cut));
    }
    nlmsghdr liar{};
    liar.nlmsg_len = 8;  // Less than itself: would be looked at for ever
    CHECK_FALSE(parse_socket_dump(bytes_of(liar), "tcp", 0, 32'768, out));
  }
}

TEST_CASE("the counts of a namespace's sockets") {
  SocketCounts counts;
  CHECK(
      add_socket_counts("sockets: used 17\nTCP: inuse 3 orphan 0 tw 0 alloc 1 mem 0\n"
                        "UDP: inuse 2 mem 0\nUDPLITE: inuse 9\nRAW: inuse 9\n",
                        counts));
  CHECK(add_socket_counts("TCP6: inuse 4\nUDP6: inuse 1\n", counts));
  CHECK(counts == SocketCounts{7, 3});
  CHECK_FALSE(add_socket_counts("TCP: used 3\nUDP: inuse x\nTCP:", counts));
  CHECK(counts == SocketCounts{7, 3});
}

TEST_CASE("the kernel's own dump finds a socket that listens, and not when it has closed") {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  auto own = own_namespace();
  REQUIRE(own.inode != 0);  // Every kernel that we know has sock_diag.
  const auto is_there = [&] {
    const auto sockets = own.listening("tcp", 32'768);
    REQUIRE(sockets);
    return std::any_of(sockets->begin(), sockets->end(), [&](const auto& socket) {
      return socket.port == ntohs(address.sin_port) && socket.address == "127.0.0.1";
    });
  };
  CHECK(is_there());
  ::close(fd);
  CHECK_FALSE(is_there());
  for (const char* protocol : kSocketProtocols) CHECK(own.listening(protocol, 32'768));
}

TEST_CASE_FIXTURE(ManyNamespaces, "our own namespace is dumped, and read where that fails") {
  add(1, 80);
  bool works = true;
  OwnNamespace own;
  own.inode = 5'001;
  own.listening = [&](std::string_view protocol,
                      std::uint32_t) -> Result<std::vector<ListeningSocket>> {
    if (!works) return Error(Errc::kUnavailable, "refused");
    if (protocol != "tcp") return std::vector<ListeningSocket>();
    return std::vector<ListeningSocket>{{"0.0.0.0", 8080, 1}};
  };
  PortScanner scanner(paths, own);
  auto scan = scanner.scan(processes, clock.steady_now());
  REQUIRE(scan.ports.size() == 1);
  CHECK(scan.ports[0].port == 8080);
  works = false;
  scan = scanner.scan(processes, clock.steady_now());
  REQUIRE(scan.ports.size() == 1);
  CHECK(scan.ports[0].port == 80);
}

TEST_CASE_FIXTURE(ManyNamespaces,
                  "tables are read again when something changed, else hardly ever") {
  add(1, 22);
  for (int pid = 20; pid < 60; ++pid) add(pid, 1'000 + pid);
  PortScanner scanner(paths);
  const auto scan = [&] {
    clock.advance(std::chrono::seconds(5));
    return scanner.scan(processes, clock.steady_now());
  };
  auto seen = scan();
  CHECK(seen.ports.size() == 41);
  seen = scan();
  CHECK(seen.tables_read == 0);
  CHECK(seen.ports.size() == 41);  // What was found is kept.

  write("proc/25/net/tcp", "head\n" + row("00000000:0050", 1) + row("00000000:0051", 2));
  counts(25, 2);
  seen = scan();
  CHECK(seen.tables_read == 1);
  CHECK(seen.ports.size() == 42);

  processes.push_back({100, 9, "helper", ""});  // Another process in a known namespace
  link("proc/100/ns/net", "net:[5030]");
  std::filesystem::create_directories(dir / "proc/100/fd");
  CHECK(scan().tables_read == 1);

  processes.erase(processes.begin() + 1);  // The namespace of 20 ends with its only process.
  seen = scan();
  CHECK(seen.tables_read == 0);
  CHECK(seen.ports.size() == 41);

  clock.advance(NamespaceTurns::kReadAnyway);
  CHECK(scan().tables_read == 40);
}

TEST_CASE_FIXTURE(ManyNamespaces, "the sockets of processes that rest are counted by turns") {
  add(1, 22);
  add(31, 1'000);
  processes.back().rests = true;
  PortScanner scanner(paths);
  const auto ports = [&] {
    clock.advance(std::chrono::seconds(5));
    return scanner.scan(processes, clock.steady_now()).ports.size();
  };
  CHECK(ports() == 2);
  write("proc/31/net/tcp", "head\n" + row("00000000:0050", 1) + row("00000000:0051", 2));
  counts(31, 2);
  std::uint32_t scans = 1;
  while (ports() == 2 && scans < 10) ++scans;
  CHECK(scans > 1);
  CHECK(scans <= ProcScanner::kRestingTurns);

  write("proc/31/net/tcp", "head\n" + row("00000000:0050", 1));
  counts(31, 1);
  processes.back().rests = false;
  CHECK(ports() == 2);
}

TEST_CASE_FIXTURE(ManyNamespaces,
                  "owners are found at once where something runs, else a scan later") {
  add(1, 22);
  for (const int pid : {20, 21}) {
    link("proc/" + std::to_string(pid) + "/ns/net", "net:[5001]");
    link("proc/" + std::to_string(pid) + "/fd/3", "socket:[" + std::to_string(pid) + "]");
    processes.push_back({static_cast<std::uint32_t>(pid), 7, "app", "", pid == 20});
  }
  PortScanner scanner(paths);
  const auto owners = [&] {
    clock.advance(std::chrono::seconds(5));
    std::map<std::uint32_t, std::uint32_t> by_port;
    for (const auto& port : scanner.scan(processes, clock.steady_now()).ports) {
      by_port[port.port] = port.pid;
    }
    return by_port;
  };
  write("proc/1/net/tcp", "head\n" + row("00000000:0050", 20) + row("00000000:0051", 21));
  CHECK(owners() == std::map<std::uint32_t, std::uint32_t>{{80, 0}, {81, 21}});
  CHECK(owners() == std::map<std::uint32_t, std::uint32_t>{{80, 20}, {81, 21}});

  // Its owner ends: whoever shares the socket is found at once, also when it rests.
  link("proc/20/fd/4", "socket:[21]");
  processes.pop_back();
  CHECK(owners() == std::map<std::uint32_t, std::uint32_t>{{80, 20}, {81, 20}});
}

TEST_CASE("reading tables never takes more of the processor than its share") {
  using namespace std::chrono_literals;
  constexpr auto kCost = 9ms;  // Of one read, on a host with much memory
  NamespaceTurns turns;
  ManualClock clock;
  std::vector<NamespaceTurns::Look> looks;
  for (std::uint64_t i = 1; i <= 100; ++i) looks.push_back({i, i, {1, 0}});
  std::map<std::uint64_t, int> reads;
  const auto scan = [&](bool busy) {
    clock.advance(5s);
    for (auto& look : looks) look.counts.tcp += busy ? 1 : 0;
    std::chrono::nanoseconds spent{0};
    for (const std::size_t i : turns.due(looks, clock.steady_now())) {
      if (!turns.admits(looks[i])) continue;
      turns.was_read(looks[i], clock.steady_now(), kCost);
      ++reads[looks[i].inode];
      spent += kCost;
    }
    return spent;
  };
  // All are new: every one is read soon, no scan costs more than what was saved up and one read.
  int scans = 0;
  for (; reads.size() < looks.size() && scans < 100; ++scans) {
    CHECK(scan(false) <= NamespaceTurns::kFreshSaved + kCost);
  }
  CHECK(scans <= 12);
  // All of them busy for an hour: their share and no more, and nobody is forgotten.
  for (int i = 0; i < 60; ++i) scan(true);
  reads.clear();
  std::chrono::nanoseconds spent{0};
  for (int i = 0; i < 12 * 60 * 3; ++i) spent += scan(true);
  CHECK(spent <= std::chrono::nanoseconds(3h) / 2'000 + 2 * NamespaceTurns::kSteadySaved);
  CHECK(spent >= std::chrono::nanoseconds(3h) / 2'500);
  CHECK(reads.size() == looks.size());
  const auto [least, most] = std::minmax_element(
      reads.begin(), reads.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  CHECK(most->second - least->second <= 1);
}
