#include <algorithm>

#include "protocol/signing/sealing.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/convert.h"
#include "protocol/wire/detail/varint.h"

namespace observeai::wire {
namespace {

void put_bytes(std::string& out, const std::string& bytes) {
  detail::put_varint(out, bytes.size());
  out.append(bytes);
}

// Count, then each entry with its length, by key. Entries that share a key (a broken sender) are
// ordered by their bytes, so that order still does not matter.
template <class Message, class T>
void put_section(std::string& out, const std::vector<T>& entries) {
  std::vector<std::pair<std::string, std::string>> sorted;
  sorted.reserve(entries.size());
  for (const auto& entry : entries) {
    Message message;
    detail::to_proto(entry, message);
    sorted.emplace_back(key_of(entry), message.SerializeAsString());
  }
  std::sort(sorted.begin(), sorted.end());
  detail::put_varint(out, sorted.size());
  for (const auto& [key, bytes] : sorted) put_bytes(out, bytes);
}

}  // namespace

std::string inventory_digest(const InventoryUpdate& whole) {
  std::string canonical = "observeai/v1/inventory\n";
  canonical.push_back(whole.host ? '\1' : '\0');
  if (whole.host) {
    v1::HostFacts host;
    detail::to_proto(*whole.host, host);
    put_bytes(canonical, host.SerializeAsString());
  }
  put_section<v1::Container>(canonical, whole.containers.upserts);
  put_section<v1::ProcessGroup>(canonical, whole.processes.upserts);
  put_section<v1::SystemdUnit>(canonical, whole.units.upserts);
  put_section<v1::ListeningPort>(canonical, whole.ports.upserts);
  return signing::sha256_hex(canonical);
}

}  // namespace observeai::wire
