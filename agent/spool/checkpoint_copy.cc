#include "agent/spool/checkpoint_copy.h"

#include <algorithm>

#include "agent/spool/state_values.h"
#include "protocol/sql/packed.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kLogs = 2;

StateKey position_key() {
  return {StateKind::kCopyPosition, ""};
}

std::string pack_position(const Epoch& epoch, std::int64_t seq) {
  sql::Packer packer;
  packer.add({reinterpret_cast<const char*>(epoch.bytes.data()), epoch.bytes.size()});
  packer.add_number(static_cast<std::uint64_t>(seq));
  return packer.take();
}

Result<std::pair<Epoch, std::uint64_t>> unpack_position(std::string_view bytes) {
  sql::Unpacker unpacker(bytes);
  std::pair<Epoch, std::uint64_t> position;
  TRY(const auto epoch, unpacker.next());
  if (epoch.size() != position.first.bytes.size())
    return Error(Errc::kCorrupt, "an epoch of another length");
  std::copy(epoch.begin(), epoch.end(), position.first.bytes.begin());
  TRY(position.second, unpacker.next_number());
  return position;
}

bool has_dropped(const StateKey& key, const std::string& value) {
  const auto entry = unpack_ledger(key.second, value);
  return entry && !(entry->records_dropped.empty() && entry->bytes_dropped.empty());
}

// Where a row of lane 2 is kept in lane 0, and the other way round.
StateKey key_of_copy(const StateKey& key) {
  return {key.first == StateKind::kLedger ? StateKind::kLedgerCopy : StateKind::kCheckpointCopy,
          key.second};
}
std::optional<StateKey> key_of_original(const StateKey& key) {
  if (key.first == StateKind::kCheckpointCopy) return checkpoint_key(key.second);
  if (key.first == StateKind::kLedgerCopy) return ledger_key(key.second);
  return std::nullopt;
}

}  // namespace

CheckpointCopy CheckpointCopy::of(const StateRows& log_state, std::uint64_t last_seq) {
  CheckpointCopy copy;
  copy.seq = static_cast<std::int64_t>(last_seq);
  for (const auto& [key, value] : log_state) {
    const bool is_dropped = key.first == StateKind::kLedger && has_dropped(key, value);
    if (key.first == StateKind::kCheckpoint || is_dropped) copy.rows[key] = value;
  }
  return copy;
}

std::optional<CheckpointCopy> CheckpointCopy::found_in(const StateRows& control_state,
                                                       const SpoolContext& context) {
  const auto row = control_state.find(position_key());
  if (row == control_state.end()) return std::nullopt;
  const auto position = unpack_position(row->second);
  const auto shift =
      position ? context.shift_of(position->first, kLogs) : std::optional<std::uint64_t>();
  if (!shift) return std::nullopt;
  CheckpointCopy copy;
  copy.seq = static_cast<std::int64_t>(position->second) - static_cast<std::int64_t>(*shift);
  for (const auto& [key, value] : control_state) {
    if (const auto original = key_of_original(key)) copy.rows[*original] = value;
  }
  return copy;
}

bool CheckpointCopy::is_of(const Epoch& epoch, const StateRows& control_state) {
  const auto row = control_state.find(position_key());
  if (row == control_state.end()) return false;
  const auto position = unpack_position(row->second);
  return position && position->first == epoch;
}

ChainWrite CheckpointCopy::changes_to(const StateRows& control_state, const Epoch& epoch) const {
  ChainWrite write;
  const auto set = [&](const StateKey& key, const std::string& value) {
    const auto there = control_state.find(key);
    if (there == control_state.end() || there->second != value)
      write.changes.push_back({key, value});
  };
  for (const auto& [key, value] : rows) set(key_of_copy(key), value);
  for (const auto& [key, value] : control_state) {
    const auto original = key_of_original(key);
    if (original && !rows.contains(*original)) write.changes.push_back({key, std::nullopt});
  }
  set(position_key(), pack_position(epoch, seq));
  return write;
}

void CheckpointCopy::put_into(StateRows& log_state) const {
  std::erase_if(log_state,
                [](const auto& row) { return row.first.first == StateKind::kCheckpoint; });
  for (const auto& [key, value] : rows) log_state[key] = value;
}

}  // namespace observeai::agent
