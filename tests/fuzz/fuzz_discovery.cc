// The parsers of what other programs on the host say: the first byte chooses one. Docker's answers
// in pieces and as values, cgroup paths, /proc texts, netlink, os-release.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/discovery/cgroup_owner.h"
#include "agent/discovery/docker_json.h"
#include "agent/discovery/host_facts.h"
#include "agent/discovery/listening_ports.h"
#include "agent/discovery/oom_log.h"
#include "agent/discovery/proc_files.h"
#include "agent/discovery/stream_split.h"
#include "protocol/base/text.h"

using namespace observeai::agent;
using observeai::ignore;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string as_is(std::string_view text) {
  return std::string(text);
}

void check_container(const observeai::wire::Container& container) {
  require(container.id.size() == 64);
  require(container.name.size() <= kMaxNameBytes);
  require(container.command.size() <= kMaxCommandBytes);
  require(container.labels.size() <= kMaxLabels);
  require(container.ports.size() <= kMaxPorts);
  require(observeai::text::is_valid_utf8(container.name));
  require(observeai::text::is_valid_utf8(container.command));
}

// However the bytes are cut, the elements are the same.
template <class Splitter>
std::string split_in(std::size_t piece, std::string_view text) {
  constexpr std::size_t kLimit = 64;
  Splitter splitter(kLimit);
  std::string out;
  const PieceHandler keep = [&out](std::string_view element) {
    require(element.size() <= kLimit);
    out.append(element).append("\n");
  };
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    if constexpr (std::is_same_v<Splitter, ArraySplitter>) {
      if (!splitter.feed(text.substr(0, piece), keep)) return out + "refused";
    } else {
      splitter.feed(text.substr(0, piece), keep);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 16) {
    case 0: {
      const auto container = parse_inspect(text, as_is);
      if (container) check_container(container->facts);
      break;
    }
    case 1: {
      const auto entry = parse_list_entry(text, as_is, {});
      if (entry) check_container(entry->container->facts);
      break;
    }
    case 2: {
      const auto event = parse_event(text, as_is);
      if (event) check_container(event->container);
      break;
    }
    case 3: {
      const auto version = parse_version(text);
      if (version) require(!negotiated_api(*version).empty());
      break;
    }
    case 4:
      require(split_in<ArraySplitter>(1, text) == split_in<ArraySplitter>(7, text));
      require(split_in<LineSplitter>(1, text) == split_in<LineSplitter>(7, text));
      break;
    case 5: {
      const auto owner = owner_from_cgroup(text);
      require(owner.container_id.size() <= 64);
      require(owner.container_id.empty() || owner.unit.empty());
      break;
    }
    case 6:
      (void)parse_proc_stat(text);
      (void)boot_time_ms(text);
      (void)os_release_value(text, "PRETTY_NAME");
      (void)key_part(text);
      break;
    case 8: {
      std::vector<ListeningSocket> sockets;
      const char* protocol = kSocketProtocols[size % 4];
      ignore(parse_socket_dump(text, protocol, 1, 32'768, sockets), "bytes of anybody");
      for (const auto& socket : sockets) require(socket.port > 0 && socket.port <= 65'535);
      SocketCounts counts;
      (void)add_socket_counts(text, counts);
      break;
    }
    case 9: {
      OomLog log;
      for (const auto line : observeai::text::split(text, '\n')) {
        const auto kill = log.feed(line);
        if (kill) require(kill->pid > 0 && observeai::text::is_valid_utf8(kill->comm));
      }
      (void)oom_kills_of_vmstat(text);
      break;
    }
    default:
      for (const auto& socket : parse_listening(text, size % 2 == 0 ? "tcp6" : "udp", 32'768)) {
        require(socket.port > 0 && socket.port <= 65'535);
      }
  }
  return 0;
}
