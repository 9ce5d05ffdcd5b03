#include "controlplane/series/tail.h"

#include <doctest/doctest.h>

#include "controlplane/series/state_bytes.h"
#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

TEST_CASE("an empty tail finds nothing rare") {
  const Tail tail;
  CHECK(tail.probability(0) == 1);
  CHECK(tail.probability(1e300) == 1);
}

TEST_CASE("what was often seen has its frequency") {
  Tail tail;
  Noise noise(1);
  for (int i = 0; i < 20'000; ++i) tail.add(std::abs(noise.normal()));
  CHECK(tail.probability(1.0) == doctest::Approx(0.317).epsilon(0.05));
  CHECK(tail.probability(2.0) == doctest::Approx(0.0455).epsilon(0.1));
  CHECK(tail.probability(3.0) == doctest::Approx(0.0027).epsilon(0.4));
}

TEST_CASE("beyond what was seen it falls and never reaches zero") {
  Tail tail;
  Noise noise(2);
  for (int i = 0; i < 2'000; ++i) tail.add(std::abs(noise.normal()));
  double before = tail.probability(2);
  for (double z = 3; z < 30; z += 1) {
    const double p = tail.probability(z);
    CHECK(p < before);
    CHECK(p > 0);
    before = p;
  }
  CHECK(tail.probability(6) < 1e-4);
}

TEST_CASE("a heavy tail is believed") {
  Tail light, heavy;
  Noise noise(3);
  for (int i = 0; i < 5'000; ++i) {
    const double u = noise.uniform();
    light.add(-std::log(u));
    heavy.add(1 / std::sqrt(u));  // Pareto with exponent 2
  }
  CHECK(heavy.probability(200) > 20 * light.probability(200));
  CHECK(heavy.probability(200) == doctest::Approx(1.0 / 40'000).epsilon(0.8));
}

TEST_CASE("its state survives, also after the weight was brought down") {
  Tail tail;
  Noise noise(4);
  for (int i = 0; i < 900'000; ++i) tail.add(std::abs(noise.normal()));
  std::string bytes;
  StateWriter out(bytes);
  tail.write(out);
  StateReader in(bytes);
  Tail again;
  REQUIRE(again.read(in));
  CHECK(in.complete());
  for (double z = 0; z < 10; z += 0.1) CHECK(again.probability(z) == tail.probability(z));
  CHECK(tail.probability(2.0) == doctest::Approx(0.0455).epsilon(0.1));
}

TEST_CASE("what cannot have been written is refused") {
  std::string bytes;
  StateWriter out(bytes);
  Tail().write(out);
  bytes[3] = '\x7f';  // NaN or infinite
  bytes[2] = '\xff';
  StateReader in(bytes);
  Tail tail;
  CHECK_FALSE(tail.read(in));
}

}  // namespace observeai::series
