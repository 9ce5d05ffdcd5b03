#include "agent/logs/trace_joiner.h"

#include <utility>

namespace observeai::agent {

bool TraceJoiner::joinable(const Line& line) {
  constexpr auto kAlone =
      wire::log_flags::kTruncated | wire::log_flags::kMalformed | wire::log_flags::kUnterminated;
  return (line.flags & kAlone) == 0 && line.text.size() <= kMaxTraceBytes;
}

bool TraceJoiner::has_room(const Group& group, const wire::LogRecord& record, const Line& line) {
  return group.lines < kMaxTraceLines &&
         record.text.size() + 1 + line.text.size() <= kMaxTraceBytes;
}

void TraceJoiner::add(std::size_t stream, const Line& line, SteadyTime now, LogRead& out,
                      SourceCounts& counts) {
  auto& group = groups_[stream];
  const bool may_join = enabled_ && joinable(line);
  // The grammar sees every line that can be part of a trace, joined or not.
  const bool continues = may_join && group.grammar.continues(line.shape);
  if (group.open && continues) {
    auto& record = group.parked ? group.record : out.records[group.index];
    if (has_room(group, record, line)) {
      record.text += '\n';
      record.text += line.text;
      record.flags |= line.flags;
      ++group.lines;
      group.raw_bytes += line.raw_bytes;
      group.last_line = now;
      return;
    }
  }
  close(stream, out, counts);
  auto& record = out.add_record();
  record.target = target_;
  record.stream = static_cast<wire::LogStream>(stream + 1);
  record.ts_ns = line.ts_ns;
  record.text.assign(line.text);
  record.flags = line.flags;
  record.original_bytes = line.original_bytes;
  if (!may_join) {
    ++counts.records_read;
    counts.bytes_read += line.raw_bytes;
    group.grammar.reset();
    return;
  }
  group.open = true;
  group.parked = false;
  group.index = out.records.size() - 1;
  group.lines = 1;
  group.raw_bytes = line.raw_bytes;
  group.first = line.at;
  group.key_lines_before = line.key_lines_before;
  group.last_line = now;
}

void TraceJoiner::close(std::size_t stream, LogRead& out, SourceCounts& counts) {
  auto& group = groups_[stream];
  if (!group.open) return;
  group.open = false;
  ++counts.records_read;
  counts.bytes_read += group.raw_bytes;
  if (group.parked) out.records.push_back(std::exchange(group.record, {}));
  group.parked = false;
}

void TraceJoiner::close_all(LogRead& out, SourceCounts& counts) {
  for (std::size_t stream = 0; stream < kLogStreams; ++stream) {
    close(stream, out, counts);
    groups_[stream].grammar.reset();
  }
}

void TraceJoiner::end_read(SteadyTime now, bool more, LogRead& out, SourceCounts& counts) {
  for (std::size_t stream = 0; stream < kLogStreams; ++stream) {
    auto& group = groups_[stream];
    if (!group.open) continue;
    auto& record = group.parked ? group.record : out.records[group.index];
    const bool waits =
        more || (now - group.last_line < kTraceSilence && group.grammar.waits(record.text));
    if (!waits) {
      close(stream, out, counts);
    } else if (!group.parked) {
      group.record = std::move(record);
      group.parked = true;
      out.records[group.index] = {};
    }
  }
}

void TraceJoiner::reset() {
  for (auto& group : groups_) group = {};
}

}  // namespace observeai::agent
