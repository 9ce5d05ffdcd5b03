#include "agent/journal/sequence_watch.h"

#include <doctest/doctest.h>

using namespace observeai::agent;

namespace {

JournalCursor entry(const char* chain, std::uint64_t number) {
  JournalCursor cursor;
  cursor.chain = chain;
  cursor.number = number;
  cursor.realtime_us = 1'000'000 + number;
  return cursor;
}

std::uint64_t total(const std::vector<SequenceLoss>& losses) {
  std::uint64_t sum = 0;
  for (const auto& loss : losses) sum += loss.records;
  return sum;
}

}  // namespace

TEST_CASE("numbers that follow each other lose nothing, also across chains that share a counter") {
  SequenceWatch watch;
  const std::pair<const char*, std::uint64_t> seen[] = {{"a", 100}, {"a", 101}, {"b", 102},
                                                        {"a", 103}, {"b", 104}, {"b", 105}};
  for (const auto& [chain, number] : seen) CHECK_FALSE(watch.saw(entry(chain, number)));
  CHECK(watch.take_losses(true).empty());
}

TEST_CASE("a jump is a loss, with its size and its time") {
  SequenceWatch watch;
  watch.saw(entry("a", 100));
  CHECK(watch.saw(entry("a", 151)));
  const auto losses = watch.take_losses(true);
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].records == 50);
  CHECK(losses[0].before_us == 1'000'151);
  CHECK(watch.take_losses(true).empty());
}

TEST_CASE("entries of the same moment may come in another order") {
  SequenceWatch watch;
  watch.saw(entry("a", 100));
  watch.saw(entry("b", 50));  // An older chain of the same counter
  watch.saw(entry("a", 101));
  CHECK(watch.saw(entry("b", 104)));
  CHECK_FALSE(watch.saw(entry("a", 103)));
  CHECK_FALSE(watch.saw(entry("a", 102)));
  CHECK(watch.take_losses(true).empty());
}

TEST_CASE("before the end is reached a hole is believed only after many more entries") {
  SequenceWatch watch;
  watch.saw(entry("a", 1));
  watch.saw(entry("a", 3));
  for (std::uint64_t i = 1; i < SequenceWatch::kSettleAfter; ++i) {
    watch.saw(entry("a", 3 + i));
    CHECK(watch.take_losses(false).empty());
  }
  watch.saw(entry("a", 3 + SequenceWatch::kSettleAfter));
  CHECK(total(watch.take_losses(false)) == 1);
}

TEST_CASE("a number in the middle of a hole leaves both its ends") {
  SequenceWatch watch;
  watch.saw(entry("a", 1));
  watch.saw(entry("a", 10));
  watch.saw(entry("b", 5));
  REQUIRE(watch.state().holes.size() == 2);
  CHECK(watch.state().holes[0].last == 4);
  CHECK(watch.state().holes[1].first == 6);
  CHECK(total(watch.take_losses(true)) == 7);
}

TEST_CASE("a chain that begins anew restarts the counter and claims nothing") {
  SequenceWatch watch;
  watch.saw(entry("a", 1000));
  CHECK_FALSE(watch.saw(entry("c", 1)));
  CHECK_FALSE(watch.saw(entry("c", 2)));
  // The user's files go on from their own last number; the counter follows them.
  watch.saw(entry("u", 1001));
  CHECK_FALSE(watch.saw(entry("c", 1002)));
  CHECK(watch.take_losses(true).empty());
}

TEST_CASE("what is kept is bounded, and a hole that is given up counts") {
  SequenceWatch watch;
  watch.saw(entry("a", 1));
  for (std::uint64_t i = 1; i <= SequenceWatch::kMaxHoles + 5; ++i)
    watch.saw(entry("a", 1 + 2 * i));
  CHECK(watch.state().holes.size() == SequenceWatch::kMaxHoles);
  CHECK(total(watch.take_losses(true)) == SequenceWatch::kMaxHoles + 5);
  for (int i = 0; i < 40; ++i) watch.saw(entry(("chain" + std::to_string(i)).c_str(), 1));
  CHECK(watch.state().chains.size() == SequenceWatch::kMaxChains);
}
