// The envelope around signals: batch headers, hello and ack. Plain values; see batch_codec.h for bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/signals.h"

namespace observeai::wire {

using Nonce16 = std::array<std::uint8_t, 16>;

enum class Codec : std::uint8_t { kZstd = 1 };

// Travels in clear beside the sealed body and is authenticated with it.
struct BatchHeader {
  AgentId agent;
  Epoch epoch;
  Lane lane = Lane::kControl;
  std::uint64_t seq = 0;  // From 1 in each (epoch, lane)
  std::uint32_t n = 0;    // Signals in the body
  std::int64_t first_ts_ms = 0;
  std::int64_t last_ts_ms = 0;
  Codec codec = Codec::kZstd;
  bool operator==(const BatchHeader&) const = default;
};

// A batch as the spool keeps it and the control plane stores it: compressed, not sealed.
struct Batch {
  BatchHeader header;
  std::string body;
};

// On connect and every 5 minutes.
struct Hello {
  AgentId agent;
  Epoch epoch;
  Nonce16 session_nonce{};  // New for each process start
  std::uint32_t protocol_version = 1;
  std::string agent_version;
  std::string boot_id;
  std::string machine_id_sha256;
  std::int64_t wall_time_ms = 0;
  std::uint64_t series_known = 0;                      // Highest series id defined in this epoch
  std::string inventory_digest;                        // Hex sha256 of the agent's whole inventory
  std::array<std::uint64_t, kLaneCount> next_seq{};    // Next to be written, per lane
  std::array<std::uint64_t, kLaneCount> oldest_seq{};  // Oldest kept, = next_seq when empty
  std::uint64_t spool_bytes = 0;
  std::uint64_t command_seq = 0;
  std::uint32_t root_version = 0;
  std::string policy_hash;
  std::map<std::string, std::int64_t> counters;  // The agent's own health
};

// Never believed without its seal. A replayed ack is harmless: contiguous only grows.
struct Ack {
  AgentId agent;
  Epoch epoch;
  std::array<std::uint64_t, kLaneCount> contiguous{};  // All seq <= this are committed
  std::uint64_t credit_bytes = 0;  // May be sent beyond `contiguous` before the next ack
  std::int64_t server_time_ms = 0;
  Nonce16 session_nonce{};      // Echo of the hello it answers, zero otherwise
  bool need_series = false;     // Send all series definitions of the epoch again, on lane 0
  bool need_inventory = false;  // Send the whole inventory again, on lane 0
};

}  // namespace observeai::wire
