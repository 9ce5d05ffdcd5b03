#include "agent/logs/checkpoint_state.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

CheckpointState example() {
  CheckpointState state;
  state.path = "/var/lib/docker/containers/a b%\n/x-json.log";
  state.read_before.push_back({{64, 98, -6}, 700, 0, 0, 64, 6});
  state.read_before.push_back({{64, 97, 0}, 800, 120, 5, 64, 6});
  state.files.push_back({3, {{64, 1234567, 1'700'000'000'123'456'789}, 4096, 1024, ~0ULL, 64, 5}});
  state.files.push_back({4, {{64, 99, -5}, 10, 10, 1, 10, 2}});
  state.streams = {StreamState{{3, 100}, 0}, StreamState{{4, 10}, 17}, StreamState{{4, 10}, 0}};
  return state;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a checkpoint comes back equal") {
  const auto text = encode_checkpoint(example());
  const auto parsed = parse_checkpoint(text);
  REQUIRE(parsed);
  CHECK(*parsed == example());
  CHECK(encode_checkpoint(*parsed) == text);
}

TEST_CASE("the stored form is fixed: another version of the agent reads it") {
  CheckpointState state;
  state.path = "/a";
  state.read_before.push_back({{7, 6, 5}, 90, 4, 3, 2, 1});
  state.files.push_back({1, {{2, 3, 4}, 100, 5, 6, 7, 8}});
  state.streams = {StreamState{{1, 9}, 0}, StreamState{{1, 10}, 1}, StreamState{{1, 11}, 0}};
  CHECK(encode_checkpoint(state) ==
        "observeai-log 2\npath /a\nread 7 6 5 90 4 3 2 1\nfile 1 2 3 4 100 5 6 7 8\nstream 0 1 9 "
        "0\nstream 1 "
        "1 10 1\nstream 2 1 11 0\nend\n");
}

TEST_CASE("a damaged checkpoint is an error") {
  const auto good = encode_checkpoint(example());
  for (std::size_t n = 0; n < good.size(); ++n) {
    const auto cut = parse_checkpoint(std::string_view(good).substr(0, n));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code() == Errc::kCorrupt);
  }
  CHECK_FALSE(parse_checkpoint(replaced(good, "log 2", "log 1")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "read", "reed")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "file 4", "file 3")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "stream 1", "stream 2")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "4096 1024", "4096 4097")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "4096 1024", "1000 1024")));
  CHECK_FALSE(parse_checkpoint(replaced(good, " 64 5\n", " 65 5\n")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "file 3", "read 3")));
  CHECK_FALSE(parse_checkpoint(replaced(good, " 17\n", " -17\n")));
  CHECK_FALSE(parse_checkpoint(replaced(good, " 17\n", " 99999999999\n")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "%25", "%2")));
  CHECK_FALSE(parse_checkpoint(good + "x"));
  CHECK_FALSE(parse_checkpoint(std::string(kMaxCheckpointBytes + 1, 'x')));
  CHECK_FALSE(parse_checkpoint(""));
}

TEST_CASE("as many files read before as are kept, and no more") {
  auto state = example();
  state.read_before.resize(kMaxReadBefore, state.read_before.front());
  const auto full = parse_checkpoint(encode_checkpoint(state));
  REQUIRE(full);
  CHECK(*full == state);
  state.read_before.push_back(state.read_before.front());
  CHECK_FALSE(parse_checkpoint(encode_checkpoint(state)));
}
