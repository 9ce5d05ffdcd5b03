#include "agent/journal/journal_state.h"

#include <array>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::string_view kPrefix = "observeai-journal ";
constexpr std::string_view kFirstLine = "observeai-journal 1";
constexpr std::string_view kEnd = "\nend\n";

Error damaged(std::string_view what) {
  return Error(Errc::kCorrupt, "journal checkpoint: " + std::string(what));
}

using Fields = std::vector<std::string_view>;

// The fields from `first` to the last one as numbers.
template <std::size_t N>
Result<std::array<std::uint64_t, N>> numbers(const Fields& fields, std::size_t first) {
  if (fields.size() != first + N) return damaged(fields[0]);
  std::array<std::uint64_t, N> out{};
  for (std::size_t i = 0; i < N; ++i) {
    const auto value = text::parse_u64(fields[first + i]);
    if (!value) return damaged(fields[0]);
    out[i] = *value;
  }
  return out;
}

Result<void> parse_position(const Fields& fields, JournalPosition& position) {
  if (fields[0] == "after" && fields.size() == 2) {
    TRY(position.after, parse_cursor(fields[1]));
    return {};
  }
  if (fields[0] != "since") return damaged("position");
  TRY(const auto value, numbers<1>(fields, 1));
  position.since_us = value[0];
  return {};
}

Result<void> parse_chain(const Fields& fields, SequenceState& sequence) {
  if (fields.size() != 3 || sequence.chains.size() == SequenceWatch::kMaxChains)
    return damaged("chain");
  TRY(const auto last, numbers<1>(fields, 2));
  sequence.chains.push_back({std::string(fields[1]), last[0]});
  return {};
}

Result<void> parse_hole(const Fields& fields, SequenceState& sequence) {
  TRY(const auto n, numbers<4>(fields, 1));
  if (n[0] > n[1] || sequence.holes.size() == SequenceWatch::kMaxHoles) return damaged("hole");
  sequence.holes.push_back({n[0], n[1], n[2], n[3]});
  return {};
}

Result<void> parse_key(const Fields& fields, JournalState& state) {
  if (fields.size() != 3 || state.key_lines.size() == kMaxOpenKeyBlocks) return damaged("key");
  const auto left = text::parse_u64(fields[1]);
  if (!left || *left == 0 || *left > UINT32_MAX || fields[2].empty()) return damaged("key");
  const bool added = state.key_lines.emplace(fields[2], static_cast<std::uint32_t>(*left)).second;
  if (!added) return damaged("key");
  return {};
}

}  // namespace

bool is_journal_state(std::string_view text) {
  return text.starts_with(kPrefix);
}

std::string encode_journal_state(const JournalState& state) {
  std::string out(kFirstLine);
  const auto add = [&out](std::uint64_t value) { out.append(" ").append(std::to_string(value)); };
  if (state.position.after) {
    out += "\nafter " + format_cursor(*state.position.after);
  } else {
    out += "\nsince";
    add(state.position.since_us);
  }
  out += "\nhighest";
  add(state.sequence.highest);
  for (const auto& chain : state.sequence.chains) {
    out += "\nchain " + chain.id;
    add(chain.last);
  }
  for (const auto& hole : state.sequence.holes) {
    out += "\nhole";
    add(hole.first);
    add(hole.last);
    add(hole.seen_us);
    add(hole.entries_since);
  }
  for (const auto& [target, left] : state.key_lines) {
    out += "\nkey";
    add(left);
    out += " " + target;
  }
  out += kEnd;
  return out;
}

Result<JournalState> parse_journal_state(std::string_view text) {
  if (text.size() > kMaxJournalStateBytes) return damaged("too long");
  if (!text.ends_with(kEnd)) return damaged("incomplete");
  text.remove_suffix(kEnd.size());
  const auto lines = text::split(text, '\n');
  if (lines.size() < 3 || lines[0] != kFirstLine) return damaged("unknown version");
  JournalState state;
  TRY_VOID(parse_position(text::split(lines[1], ' '), state.position));
  const auto highest = text::split(lines[2], ' ');
  if (highest[0] != "highest") return damaged("highest");
  TRY(const auto number, numbers<1>(highest, 1));
  state.sequence.highest = number[0];
  for (std::size_t i = 3; i < lines.size(); ++i) {
    const auto fields = text::split(lines[i], ' ');
    if (fields[0] == "chain") {
      TRY_VOID(parse_chain(fields, state.sequence));
    } else if (fields[0] == "hole") {
      TRY_VOID(parse_hole(fields, state.sequence));
    } else if (fields[0] == "key") {
      TRY_VOID(parse_key(fields, state));
    } else {
      return damaged("unknown line");
    }
  }
  return state;
}

}  // namespace observeai::agent
