// Joins the lines of a stack trace to one record, for the streams of one source. Lines come whole
// (line_assembler.h) and redacted; which of them belong together says trace_grammar.h.
//
// A record stays open while a line may still be joined to it: until a line comes that is none of
// its trace, for kTraceSilence at most when nothing comes, and up to the limits, behind which the
// trace goes on in a further record. A line that does not look like the beginning of a trace is
// held only while more of its log is at hand, so that it is late by nothing. The checkpoint must
// not pass first() while a record is open: a restart then reads its lines again.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "agent/logs/line_assembler.h"
#include "agent/logs/log_read.h"
#include "agent/logs/trace_grammar.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// A Java stack overflow has 1,024 frames; more than this is read by nobody in one piece.
inline constexpr std::size_t kMaxTraceLines = 500;
inline constexpr std::size_t kMaxTraceBytes = 256U << 10;
inline constexpr std::chrono::milliseconds kTraceSilence{1'000};

class TraceJoiner {
 public:
  TraceJoiner(wire::Target target, bool enabled) : target_(std::move(target)), enabled_(enabled) {}

  struct Line {
    std::string_view text;   // What the record carries
    std::string_view shape;  // The same before redaction
    std::int64_t ts_ns = 0;
    std::uint32_t flags = 0;
    std::uint64_t original_bytes = 0;
    std::uint64_t raw_bytes = 0;
    LogPosition at;
    std::uint32_t key_lines_before = 0;  // Redactor::redact_line, before this line
  };
  // `stream` < kLogStreams. `out` is the same in all calls until end_read().
  void add(std::size_t stream, const Line& line, SteadyTime now, LogRead& out,
           SourceCounts& counts);
  // What follows belongs to nothing before it.
  void close(std::size_t stream, LogRead& out, SourceCounts& counts);
  void close_all(LogRead& out, SourceCounts& counts);
  // Ends a read: open records leave `out` (an empty target stays in their place, to be removed) or
  // are closed. `more`: further lines are at hand.
  void end_read(SteadyTime now, bool more, LogRead& out, SourceCounts& counts);
  // Forgets what is open.
  void reset();

  bool open(std::size_t stream) const { return groups_[stream].open; }
  const LogPosition& first(std::size_t stream) const { return groups_[stream].first; }
  std::uint32_t key_lines_before(std::size_t stream) const {
    return groups_[stream].key_lines_before;
  }

 private:
  struct Group {
    TraceGrammar grammar;
    bool open = false;
    bool parked = false;  // The record is here, not in LogRead
    wire::LogRecord record;
    std::size_t index = 0;
    std::size_t lines = 0;
    std::uint64_t raw_bytes = 0;
    LogPosition first;
    std::uint32_t key_lines_before = 0;
    SteadyTime last_line{};
  };
  static bool joinable(const Line& line);
  static bool has_room(const Group& group, const wire::LogRecord& record, const Line& line);

  const wire::Target target_;
  const bool enabled_;
  std::array<Group, kLogStreams> groups_;
};

}  // namespace observeai::agent
