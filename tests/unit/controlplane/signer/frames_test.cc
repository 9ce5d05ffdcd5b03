#include <doctest/doctest.h>

#include "controlplane/signer/frames.h"
#include "controlplane/signer/signer_status.h"

using namespace observeai;
using namespace observeai::controlplane::signer;

TEST_CASE("a frame is taken when all of it is there, and leaves the rest") {
  const auto first = encode_frame(FrameKind::kSign, "body");
  const auto both = first + encode_frame(FrameKind::kDone, "");
  for (std::size_t cut = 0; cut < first.size(); ++cut) {
    const auto taken = take_frame(std::string_view(first).substr(0, cut));
    REQUIRE(taken);
    CHECK_FALSE(*taken);
  }
  const auto taken = take_frame(both).value().value();
  CHECK(taken.frame.kind == FrameKind::kSign);
  CHECK(taken.frame.body == "body");
  CHECK(taken.bytes == first.size());
  CHECK(take_frame(std::string_view(both).substr(taken.bytes)).value()->frame.body.empty());
}

TEST_CASE("frames that cannot be are refused before they are complete") {
  CHECK(take_frame(std::string("\xFF\xFF\xFF\x7F\x01", 5)).error().code() == Errc::kLimit);
  CHECK(take_frame(std::string("\0\0\0\0", 4)).error().code() == Errc::kCorrupt);
  for (const char kind : {0, 7, 63, 69, -1}) {
    CHECK(take_frame(std::string("\x02\0\0\0", 4) + kind).error().code() == Errc::kCorrupt);
  }
  const auto longest = encode_frame(FrameKind::kSign, std::string(kMaxFrameBytes - 1, 'x'));
  CHECK(take_frame(longest).value());
  CHECK(
      take_frame(encode_frame(FrameKind::kSign, std::string(kMaxFrameBytes, 'x'))).error().code() ==
      Errc::kLimit);
}

TEST_CASE("lists and outcomes come back, and nothing cut does") {
  const std::vector<std::string> items{"", "a", std::string(300, 'b')};
  const auto bytes = encode_list(items);
  CHECK(decode_list(bytes).value() == items);
  CHECK(decode_list("").value().empty());
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto part = decode_list(std::string_view(bytes).substr(0, cut));
    if (part) CHECK(encode_list(*part) == bytes.substr(0, cut));
  }
  CHECK_FALSE(decode_list(bytes.substr(0, bytes.size() - 1)));
  CHECK(decode_outcome(encode_outcome(std::string("envelope"))).value().value() == "envelope");
  for (const auto code : {Errc::kInvalid, Errc::kDenied, Errc::kLimit, Errc::kInternal}) {
    const auto back = decode_outcome(encode_outcome(Error(code, "why"))).value();
    CHECK(back.error().code() == code);
    CHECK(back.error().message() == "why");
  }
  CHECK_FALSE(decode_outcome(""));
  CHECK_FALSE(decode_outcome("\x09why"));
}

TEST_CASE("the status comes back") {
  SignerStatus status;
  status.signer_key = signing::SigningKeyPair::generate().public_key();
  status.audit_key = signing::SigningKeyPair::generate().public_key();
  status.root_version = 3;
  status.signed_commands = 10'000;
  status.refused["rate"] = 2;
  CHECK(decode_status(encode_status(status)).value() == status);
  CHECK_FALSE(decode_status("{}"));
  CHECK_FALSE(decode_status("not JSON"));
}
