#include <doctest/doctest.h>

#include "agent/executor/session.h"
#include "host_time.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::ManualHostTime;
using observeai::test::TempDir;

namespace {

constexpr std::int64_t kTrue = 1'800'000'000'000;
const wire::Bytes16 kEnrollment = {1};

Session open(const TempDir& dir, const HostTime& time, const wire::Bytes16& who = kEnrollment) {
  auto session = Session::open(dir / "run", who, time);
  REQUIRE(session);
  return std::move(*session);
}

void tell_time(Session& session, std::int64_t unix_ms) {
  const auto challenge = session.challenge();
  REQUIRE(challenge);
  const auto taken = session.take_time({{}, *challenge, unix_ms});
  REQUIRE_MESSAGE(taken, (taken ? "" : taken.error().message()));
}

}  // namespace

TEST_CASE("a program that is started again has the same session, time and sequence") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  const auto nonce = session.nonce();
  tell_time(session, kTrue);
  REQUIRE(session.note_sequence(7));
  REQUIRE(session.note_root(3));
  time.advance(5000);
  const auto again = open(dir, time);
  CHECK(again.nonce() == nonce);
  CHECK(again.sequence() == 7);
  CHECK(again.root_version() == 3);
  CHECK(again.trusted_ms() == kTrue + 5000);
}

TEST_CASE("another boot and another enrollment have another session and no time") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  const auto nonce = session.nonce();
  tell_time(session, kTrue);
  time.id = "boot-2";
  auto second = open(dir, time);
  CHECK(second.nonce() != nonce);
  CHECK(!second.trusted_ms());
  tell_time(second, kTrue);
  REQUIRE(second.note_sequence(4));
  const auto other = open(dir, time, {2});
  CHECK(other.nonce() != second.nonce());
  CHECK(!other.trusted_ms());
  CHECK(other.sequence() == 0);
}

TEST_CASE("a wall clock that jumps voids time and session, one that is slewed does not") {
  for (const std::int64_t jump : {kMaxClockJumpMs + 1, -kMaxClockJumpMs - 1}) {
    TempDir dir;
    ManualHostTime time;
    auto session = open(dir, time);
    const auto nonce = session.nonce();
    tell_time(session, kTrue);
    time.wall += jump > 0 ? kMaxClockJumpMs : -kMaxClockJumpMs;
    REQUIRE(session.refresh());
    CHECK(session.nonce() == nonce);
    CHECK(session.trusted_ms() == kTrue);
    time.wall += jump > 0 ? 1 : -1;
    REQUIRE(session.refresh());
    CHECK(session.nonce() != nonce);
    CHECK(!session.trusted_ms());
    CHECK(session.sequence() == 0);
    CHECK(open(dir, time).nonce() == session.nonce());
  }
}

TEST_CASE("a jump while the program was not running is seen when it starts") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  tell_time(session, kTrue);
  REQUIRE(session.note_sequence(9));
  time.wall += 3'600'000;
  const auto again = open(dir, time);
  CHECK(again.nonce() != session.nonce());
  CHECK(!again.trusted_ms());
  CHECK(again.sequence() == 9);
}

TEST_CASE(
    "the trusted time is an upper bound: what a carrier holds back makes it later, not earlier") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  const auto challenge = session.challenge();
  REQUIRE(challenge);
  time.advance(40'000);
  REQUIRE(session.take_time({{}, *challenge, kTrue}));
  CHECK(session.trusted_ms() == kTrue + 40'000);
}

TEST_CASE("time is taken once for each challenge, and not late") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  const auto challenge = *session.challenge();
  CHECK(!session.take_time({{}, wire::Bytes16{}, kTrue}));
  CHECK(!session.take_time({{}, wire::Bytes16{5}, kTrue}));
  CHECK(!session.take_time({{}, challenge, 0}));
  CHECK(!session.take_time({{}, challenge, INT64_MAX}));
  time.advance(kChallengeLifetimeMs + 1);
  CHECK(!session.take_time({{}, challenge, kTrue}));
  const auto fresh = *session.challenge();
  CHECK(fresh != challenge);
  REQUIRE(session.take_time({{}, fresh, kTrue}));
  CHECK(!session.take_time({{}, fresh, kTrue}));
  CHECK(*session.challenge() == wire::Bytes16{});
  CHECK(!session.take_time({{}, wire::Bytes16{}, kTrue}));
}

TEST_CASE("the time is asked for again after hours, and goes back a little") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  tell_time(session, kTrue);
  time.advance(kTimeRenewMs);
  const auto challenge = *session.challenge();
  CHECK(challenge != wire::Bytes16{});
  CHECK(session.trusted_ms() == kTrue + kTimeRenewMs);
  const auto nonce = session.nonce();
  REQUIRE(session.take_time({{}, challenge, kTrue + kTimeRenewMs - 1000}));
  CHECK(session.trusted_ms() == kTrue + kTimeRenewMs - 1000);
  CHECK(session.nonce() == nonce);
}

TEST_CASE("a signer whose clock was ahead is believed again once it is right, in a new session") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  const auto nonce = session.nonce();
  tell_time(session, kTrue + 2 * 3'600'000);
  REQUIRE(session.note_sequence(7));
  REQUIRE(session.note_root(3));
  // Nobody asked: a statement from before does nothing.
  CHECK(!session.take_time({{}, wire::Bytes16{5}, kTrue}));
  CHECK(session.nonce() == nonce);
  time.advance(kTimeRenewMs);
  const auto asked = *session.challenge();
  CHECK(!session.take_time({{}, asked, kTrue + kTimeRenewMs}));
  CHECK(session.nonce() != nonce);
  CHECK(!session.trusted_ms());
  // What the session before had seen stays seen.
  CHECK(session.sequence() == 7);
  CHECK(session.root_version() == 3);
  CHECK(open(dir, time).nonce() == session.nonce());
  const auto again = *session.challenge();
  CHECK(again != asked);
  CHECK(!session.take_time({{}, asked, kTrue + kTimeRenewMs}));
  REQUIRE(session.take_time({{}, again, kTrue + kTimeRenewMs}));
  CHECK(session.trusted_ms() == kTrue + kTimeRenewMs);
}

TEST_CASE("sequence and root version never go down") {
  TempDir dir;
  ManualHostTime time;
  auto session = open(dir, time);
  REQUIRE(session.note_sequence(5));
  REQUIRE(session.note_sequence(4));
  REQUIRE(session.note_root(2));
  REQUIRE(session.note_root(1));
  CHECK(session.sequence() == 5);
  CHECK(session.root_version() == 2);
}

TEST_CASE("a damaged session file begins a new session") {
  TempDir dir;
  ManualHostTime time;
  const auto nonce = open(dir, time).nonce();
  const auto good = *files::read(dir / "run/session");
  REQUIRE(decode_session(good));
  CHECK(encode_session(*decode_session(good)) == good);
  for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK(!decode_session(good.substr(0, cut)));
  CHECK(!decode_session(good + "more=1\n"));
  REQUIRE(files::write_atomic(dir / "run/session", good.substr(0, 40), 0600));
  CHECK(open(dir, time).nonce() != nonce);
}
