#include "agent/app/known_root.h"

#include <doctest/doctest.h>

#include "tests/support/memory_spool.h"
#include "tests/support/test_root.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

TEST_CASE("versions are followed one by one, and remembered") {
  MemorySpool spool;
  const TestRoot root;
  auto known = KnownRoot::create(spool, root.envelope(1)).value();
  CHECK(known.root().version == 1);
  REQUIRE(known.take({root.envelope(1), root.envelope(2), root.envelope(3)}));
  CHECK(known.root() == root.metadata(3));
  // A new process; what it was enrolled with is older.
  CHECK(KnownRoot::create(spool, root.envelope(1))->root() == root.metadata(3));
  REQUIRE(known.take({root.envelope(2)}));  // An old one that a broker repeats
  CHECK(known.root().version == 3);
}

TEST_CASE("what does not follow is refused, and what came before it is kept") {
  MemorySpool spool;
  const TestRoot root;
  auto known = KnownRoot::create(spool, root.envelope(1)).value();
  std::string next;
  SUBCASE("a version is left out") {
    next = root.envelope(4);
  }
  SUBCASE("of somebody else") {
    next = TestRoot().envelope(3);
  }
  SUBCASE("a new root key, signed by itself alone") {
    const TestRoot other;
    auto changed = root.metadata(3);
    changed.root_keys = {other.key.public_key()};
    next = other.sign(changed);
  }
  SUBCASE("changed") {
    next = root.envelope(3);
    next[next.size() / 2] ^= 1;
  }
  SUBCASE("no envelope") {
    next = std::string(3, 'x');
  }
  CHECK_FALSE(known.take({root.envelope(2), next}));
  CHECK(known.root() == root.metadata(2));
  CHECK(KnownRoot::create(spool, root.envelope(1))->root() == root.metadata(2));
}

TEST_CASE("a root that cannot be read is an error that says so") {
  MemorySpool spool;
  CHECK(KnownRoot::create(spool, "").error().code() == Errc::kCorrupt);
  REQUIRE(spool.set_fact(KnownRoot::kFact, "not an envelope"));
  CHECK_FALSE(KnownRoot::create(spool, TestRoot().envelope(1)));
}
