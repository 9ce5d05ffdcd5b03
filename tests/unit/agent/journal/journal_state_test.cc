#include "agent/journal/journal_state.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

JournalState full_state() {
  JournalState state;
  JournalCursor cursor;
  cursor.chain = std::string(32, 'a');
  cursor.boot = std::string(32, 'b');
  cursor.number = 77;
  cursor.realtime_us = 1'700'000'000'000'000;
  state.position.after = cursor;
  state.sequence.highest = 77;
  state.sequence.chains = {{std::string(32, 'c'), 12}, {cursor.chain, 77}};
  state.sequence.holes = {{3, 9, 1'700'000'000'000'000, 5}, {70, 70, 1, 0}};
  state.key_lines = {{"host", 12}, {"unit/nginx.service", 128}};
  return state;
}

}  // namespace

TEST_CASE("a state is read back as it was written") {
  const auto state = full_state();
  const auto text = encode_journal_state(state);
  CHECK(is_journal_state(text));
  CHECK(parse_journal_state(text).value() == state);

  JournalState fresh;
  fresh.position.since_us = 1'700'000'000'000'000;
  CHECK(parse_journal_state(encode_journal_state(fresh)).value() == fresh);
}

TEST_CASE("a damaged state is an error, never a wrong place") {
  const auto text = encode_journal_state(full_state());
  for (std::size_t length = 0; length < text.size(); ++length)
    CHECK_FALSE(parse_journal_state(text.substr(0, length)));
  for (const auto& line : {"hole 9 3 0 0", "hole 1 2 3", "chain x", "chain x y", "key 0 host",
                           "key 5000000000 host", "key 1", "key 12 host", "other 1", ""}) {
    auto bad = text;
    bad.insert(bad.size() - 4, std::string(line) + "\n");
    CHECK_FALSE_MESSAGE(parse_journal_state(bad), line);
  }
  CHECK_FALSE(parse_journal_state("observeai-journal 2" + text.substr(19)));
  CHECK_FALSE(parse_journal_state(text + std::string(kMaxJournalStateBytes, ' ')));
}

TEST_CASE("checkpoints of files are not taken for the journal's") {
  CHECK_FALSE(is_journal_state("observeai-log 2\npath /x\n"));
  CHECK(is_journal_state(kJournalTargetState));
}
