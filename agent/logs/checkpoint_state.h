// How far a log was read, as the text kept in agent::SourceCheckpoint::state. Versioned; read back
// strictly: a damaged state is an error, never a wrong place.
//
//   observeai-log 2
//   path <escaped>
//   read <print>
//   file <number> <print>
//   stream <0..2> <file number> <offset> <key lines left>
//   end
//
// where <print> is <device> <inode> <birth_ns> <extent> <head_bytes> <head> <tail_bytes> <tail>.
// Files are those from the oldest that is needed again to the one being read (or to be begun, with
// extent 0), oldest first; before them stand the last ones that were read to their end, so that
// their copies are known. Every stream has a place of its own: lines of one stream may be finished
// (and committed) behind the unfinished line of the other; after a restart reading begins at the
// lowest place, and what lies before the place of its stream is passed over.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logs/file_tail.h"
#include "agent/logs/line_assembler.h"
#include "protocol/base/result.h"

namespace observeai::agent {

inline constexpr std::size_t kMaxCheckpointBytes = 64U << 10;
// Rotation deletes the oldest file first: the newest of these that is still on disk tells that all
// older ones were read. More than one are only needed when newer ones were removed by hand.
inline constexpr std::size_t kMaxReadBefore = 16;

struct StreamState {
  LogPosition position;              // Everything of the stream before it is done
  std::uint32_t key_lines_left = 0;  // Redactor::redact_line
  bool operator==(const StreamState&) const = default;
};
using StreamStates = std::array<StreamState, kLogStreams>;

struct CheckpointFile {
  std::uint64_t number = 0;
  FilePrint print;
  bool operator==(const CheckpointFile&) const = default;
};

struct CheckpointState {
  std::string path;
  std::vector<FilePrint> read_before;  // At most kMaxReadBefore, the newest last
  std::vector<CheckpointFile> files;   // Numbers ascend
  StreamStates streams;
  bool operator==(const CheckpointState&) const = default;
};

std::string encode_checkpoint(const CheckpointState& state);
Result<CheckpointState> parse_checkpoint(std::string_view text);

}  // namespace observeai::agent
