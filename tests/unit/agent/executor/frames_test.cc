#include <doctest/doctest.h>

#include "agent/executor/frames.h"

using namespace observeai;
using namespace observeai::agent::executor;

TEST_CASE("a frame comes back however it is cut") {
  const std::string bytes =
      encode_frame({FrameKind::kCommand, "body"}) + encode_frame({FrameKind::kDone, ""});
  for (std::size_t cut = 0; cut < 9; ++cut) {
    const auto taken = take_frame(std::string_view(bytes).substr(0, cut));
    REQUIRE(taken);
    CHECK(!*taken);
  }
  const auto first = take_frame(bytes);
  REQUIRE((first && *first));
  CHECK((*first)->frame.kind == FrameKind::kCommand);
  CHECK((*first)->frame.body == "body");
  CHECK((*first)->bytes == 9);
  const auto second = take_frame(std::string_view(bytes).substr(9));
  REQUIRE((second && *second));
  CHECK((*second)->frame.kind == FrameKind::kDone);
  CHECK((*second)->frame.body.empty());
}

TEST_CASE(
    "a frame that is too long, empty or of an unknown kind is refused before its body comes") {
  const std::string longest = {'\0', '\0', '\x20', '\0', '\2'};  // 2 MiB
  CHECK(take_frame(longest));
  const std::string longer = {'\1', '\0', '\x20', '\0', '\2'};
  REQUIRE(!take_frame(longer));
  CHECK(take_frame(longer).error().code() == Errc::kLimit);
  CHECK(!take_frame(std::string{'\0', '\0', '\0', '\0'}));
  for (const char kind : {'\0', '\7', '\77', '\x45', '\xff'}) {
    const std::string unknown = {'\1', '\0', '\0', '\0', kind};
    REQUIRE(!take_frame(unknown));
    CHECK(take_frame(unknown).error().code() == Errc::kCorrupt);
  }
}

TEST_CASE("a status comes back as it was") {
  Status status;
  status.session.fill(7);
  status.time_challenge.fill(9);
  status.command_seq = 12;
  status.root_version = 3;
  status.policy_hash = std::string(64, 'a');
  status.state = "ready";
  const auto bytes = encode_status(status);
  const auto back = decode_status(bytes);
  REQUIRE(back);
  CHECK(*back == status);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    CHECK(!decode_status(std::string_view(bytes).substr(0, cut)));
  CHECK(!decode_status(bytes + std::string(4, '\0')));
  status.policy_hash = "no hash";
  CHECK(!decode_status(encode_status(status)));
}

TEST_CASE("a list of anything comes back, and a cut one does not") {
  const std::vector<std::string> items = {"", std::string("\0x", 2), "abc"};
  const auto bytes = encode_list(items);
  const auto back = decode_list(bytes);
  REQUIRE(back);
  CHECK(*back == items);
  CHECK(decode_list("")->empty());
  CHECK(!decode_list(std::string_view(bytes).substr(0, bytes.size() - 1)));
  CHECK(!decode_list(std::string("\xff\xff\xff\xff", 4)));
}
