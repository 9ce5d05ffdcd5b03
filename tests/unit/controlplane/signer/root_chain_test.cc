#include <doctest/doctest.h>

#include "controlplane/signer/root_chain.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/trust_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

TEST_CASE("a chain begins with version 1, grows one by one, and is the same after a restart") {
  TempDir dir;
  const std::string folder = dir / "keys";
  Organisation acme;
  const auto v1 = acme.signed_root(acme.root(1));
  const auto v2 = acme.signed_root(acme.root(2));
  const auto v3 = acme.signed_root(acme.root(3));
  CHECK(RootChain::open(folder).error().code() == Errc::kNotFound);
  CHECK(RootChain::begin(folder, v2).error().code() == Errc::kDenied);
  CHECK(RootChain::begin(folder, sign_root(acme.root(1), {acme.roots[0]})).error().code() ==
        Errc::kDenied);

  const auto chain = RootChain::begin(folder, v1).value();
  CHECK(chain->newest().version == 1);
  CHECK(chain->envelopes_after(0) == std::vector{v1});
  CHECK(chain->envelopes_after(1).empty());
  CHECK(chain->take({v3}).error().code() == Errc::kDenied);  // Never skips
  CHECK(chain->newest().version == 1);
  CHECK(chain->check(v2).value() == acme.root(2));
  CHECK(chain->newest().version == 1);
  CHECK(chain->take({v1, v2, v3}).value() == 2);
  CHECK(chain->take({v1, v2, v3}).value() == 0);
  CHECK(chain->newest() == acme.root(3));
  CHECK(chain->newest_envelope() == v3);
  CHECK(chain->envelope_of(2) == v2);
  CHECK(chain->envelope_of(0).empty());
  CHECK(chain->envelope_of(4).empty());
  CHECK(chain->envelopes_after(1) == std::vector{v2, v3});

  const auto again = RootChain::open(folder).value();
  CHECK(again->envelopes_after(0) == std::vector{v1, v2, v3});
  CHECK(RootChain::begin(folder, v1).error().code() == Errc::kInvalid);
}

TEST_CASE("what the thresholds of both versions did not sign is not taken" *
          doctest::test_suite("attacks")) {
  TempDir dir;
  Organisation acme;
  Organisation mallory;
  const auto chain = RootChain::begin(dir / "keys", acme.signed_root(acme.root(1))).value();
  CHECK(chain->take({mallory.signed_root(mallory.root(2))}).error().code() == Errc::kDenied);
  CHECK(chain->take({mallory.signed_root(acme.root(2))}).error().code() == Errc::kDenied);
  CHECK(chain->take({"not an envelope"}).error().code() == Errc::kCorrupt);
  // New root keys: signed by the ones before and the ones to be.
  auto rotated = mallory.root(2);
  CHECK(chain->take({sign_root(rotated, {acme.roots[0], acme.roots[1]})}).error().code() ==
        Errc::kDenied);
  CHECK(chain
            ->take({sign_root(rotated,
                              {acme.roots[0], acme.roots[2], mallory.roots[0], mallory.roots[1]})})
            .value() == 1);
  // The same version in other words is a fork.
  auto fork = rotated;
  fork.expires_ms += 1;
  CHECK(chain
            ->take({sign_root(fork,
                              {acme.roots[0], acme.roots[1], mallory.roots[0], mallory.roots[1]})})
            .error()
            .code() == Errc::kDenied);
}

TEST_CASE("a damaged file is an error at the start, not a shorter chain") {
  TempDir dir;
  const std::string folder = dir / "keys";
  Organisation acme;
  {
    const auto chain = RootChain::begin(folder, acme.signed_root(acme.root(1))).value();
    REQUIRE(chain->take({acme.signed_root(acme.root(2))}));
  }
  auto bytes = files::read(folder + "/root-metadata.v2").value();
  bytes[bytes.size() / 2] ^= 1;
  REQUIRE(files::write_atomic(folder + "/root-metadata.v2", bytes, 0644));
  const auto opened = RootChain::open(folder);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message().find("root-metadata.v2") != std::string::npos);
  // What is of another organisation is as bad.
  Organisation mallory;
  REQUIRE(files::write_atomic(folder + "/root-metadata.v2", mallory.signed_root(mallory.root(2)),
                              0644));
  CHECK(RootChain::open(folder).error().code() == Errc::kDenied);
}
