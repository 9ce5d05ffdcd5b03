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

}  // namespace

CheckpointCopy CheckpointCopy::of(const StateRows& log_state, std::uint64_t last_seq) {
  CheckpointCopy copy;
  copy.seq = static_cast<std::int64_t>(last_seq);
  for (const auto& [key, value] : log_state) {
    if (key.first == StateKind::kCheckpoint) copy.rows[key] = value;
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
    if (key.first == StateKind::kCheckpointCopy) copy.rows[checkpoint_key(key.second)] = value;
  }
  return copy;
}

ChainWrite CheckpointCopy::changes_to(const StateRows& control_state, const Epoch& epoch) const {
  ChainWrite write;
  const auto set = [&](const StateKey& key, const std::string& value) {
    const auto there = control_state.find(key);
    if (there == control_state.end() || there->second != value)
      write.changes.push_back({key, value});
  };
  for (const auto& [key, value] : rows) set({StateKind::kCheckpointCopy, key.second}, value);
  for (const auto& [key, value] : control_state) {
    if (key.first == StateKind::kCheckpointCopy && !rows.contains(checkpoint_key(key.second)))
      write.changes.push_back({key, std::nullopt});
  }
  set(position_key(), pack_position(epoch, seq));
  return write;
}

void CheckpointCopy::replace_checkpoints(StateRows& log_state) const {
  std::erase_if(log_state,
                [](const auto& row) { return row.first.first == StateKind::kCheckpoint; });
  log_state.insert(rows.begin(), rows.end());
}

}  // namespace observeai::agent
