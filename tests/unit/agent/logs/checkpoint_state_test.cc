#include "agent/logs/checkpoint_state.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

CheckpointState example() {
  CheckpointState state;
  state.path = "/var/lib/docker/containers/a b%\n/x-json.log";
  state.drained_birth_ns = -7;
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
  state.drained_birth_ns = 12;
  state.files.push_back({1, {{2, 3, 4}, 100, 5, 6, 7, 8}});
  state.streams = {StreamState{{1, 9}, 0}, StreamState{{1, 10}, 1}, StreamState{{1, 11}, 0}};
  CHECK(encode_checkpoint(state) ==
        "observeai-log 1\npath /a\ndrained 12\nfile 1 2 3 4 100 5 6 7 8\nstream 0 1 9 0\nstream 1 "
        "1 10 1\nstream 2 1 11 0\nend\n");
}

TEST_CASE("a damaged checkpoint is an error") {
  const auto good = encode_checkpoint(example());
  for (std::size_t n = 0; n < good.size(); ++n) {
    const auto cut = parse_checkpoint(std::string_view(good).substr(0, n));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code() == Errc::kCorrupt);
  }
  CHECK_FALSE(parse_checkpoint(replaced(good, "log 1", "log 2")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "drained", "drowned")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "file 4", "file 3")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "stream 1", "stream 2")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "4096 1024", "4096 1025")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "4096 1024", "1000 1024")));
  CHECK_FALSE(parse_checkpoint(replaced(good, " 17\n", " -17\n")));
  CHECK_FALSE(parse_checkpoint(replaced(good, " 17\n", " 99999999999\n")));
  CHECK_FALSE(parse_checkpoint(replaced(good, "%25", "%2")));
  CHECK_FALSE(parse_checkpoint(good + "x"));
  CHECK_FALSE(parse_checkpoint(std::string(kMaxCheckpointBytes + 1, 'x')));
  CHECK_FALSE(parse_checkpoint(""));
}
