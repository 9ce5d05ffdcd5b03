#include "controlplane/series/discovery.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

namespace {

// P-value of a normal value that is `shift` too large.
double p_of(Noise& noise, double shift) {
  return 0.5 * std::erfc((noise.normal() + shift) / std::sqrt(2.0));
}

}  // namespace

TEST_CASE("Benjamini and Hochberg's own example") {
  // Their table of 15 p-values: four are told at 5 %.
  const std::vector<double> p = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  CHECK(discoveries(p, 0.05) == std::vector<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("nothing is told of nothing, and an unknown p-value is not a test") {
  CHECK(discoveries({}, 0.1).empty());
  const std::vector<double> p = {NAN, 0.04, NAN};
  CHECK(discoveries(p, 0.05) == std::vector<std::size_t>{1});
  CHECK(discoveries(p, 0.03).empty());
}

TEST_CASE("of healthy series at most the stated share of ticks says anything") {
  Noise noise(11);
  const double rate = 0.05;
  const int ticks = 2'000;
  int told = 0;
  for (int tick = 0; tick < ticks; ++tick) {
    std::vector<double> p(2'000);
    for (auto& value : p) value = noise.uniform();
    if (!discoveries(p, rate).empty()) ++told;
  }
  // Without any true one each discovery is false: P(any) <= rate; three standard deviations of luck.
  CHECK(told <= ticks * rate + 3 * std::sqrt(ticks * rate * (1 - rate)));
  CHECK(told > 0);
}

TEST_CASE("planted anomalies are found and the share of false ones holds") {
  Noise noise(12);
  const double rate = 0.1;
  double share = 0, squares = 0;
  int found = 0;
  const int ticks = 400;
  for (int tick = 0; tick < ticks; ++tick) {
    std::vector<double> p;
    for (int i = 0; i < 2'000; ++i) p.push_back(p_of(noise, i < 20 ? 5.0 : 0.0));
    int right = 0;
    const auto told = discoveries(p, rate);
    for (const auto i : told) right += i < 20 ? 1 : 0;
    found += right;
    const double wrong =
        told.empty() ? 0 : 1 - static_cast<double>(right) / static_cast<double>(told.size());
    share += wrong / ticks;
    squares += wrong * wrong / ticks;
  }
  // The mean has an error of its own: three standard deviations of it.
  CHECK(share <= rate + 3 * std::sqrt((squares - share * share) / ticks));
  CHECK(found >= 0.9 * 20 * ticks);
}

TEST_CASE("a stream of healthy p-values: the share of streams with a discovery holds") {
  const double rate = 0.1;
  int told = 0;
  const int streams = 500;
  for (int stream = 0; stream < streams; ++stream) {
    Noise noise(1'000 + stream);
    OnlineDiscovery online(rate);
    bool any = false;
    for (int i = 0; i < 2'000; ++i) any = online.test(noise.uniform()) || any;
    told += any ? 1 : 0;
  }
  CHECK(told <= streams * rate + 3 * std::sqrt(streams * rate * (1 - rate)));
}

TEST_CASE("a stream with planted ones: found, earned wealth lets it look closer, the share holds") {
  const double rate = 0.1;
  double share = 0;
  int found = 0, planted = 0;
  const int streams = 200;
  for (int stream = 0; stream < streams; ++stream) {
    Noise noise(5'000 + stream);
    OnlineDiscovery online(rate);
    int right = 0, wrong = 0;
    for (int i = 1; i <= 3'000; ++i) {
      const bool real = i % 20 == 0;
      planted += real ? 1 : 0;
      if (online.test(p_of(noise, real ? 5.0 : 0.0))) ++(real ? right : wrong);
    }
    found += right;
    if (right + wrong > 0) share += static_cast<double>(wrong) / (right + wrong);
  }
  CHECK(share / streams <= rate);
  CHECK(found >= 0.7 * planted);
}

TEST_CASE("a discovery raises the level, silence lowers it, an unknown p-value changes nothing") {
  OnlineDiscovery online(0.1);
  const double first = online.level();
  CHECK_FALSE(online.test(0.9));
  const double second = online.level();
  CHECK(second < first);
  CHECK_FALSE(online.test(NAN));
  CHECK(online.level() == second);
  CHECK(online.test(1e-9));
  CHECK(online.level() > second);
  for (int i = 0; i < 3 * static_cast<int>(OnlineDiscovery::kKept); ++i) CHECK(online.test(0));
  CHECK(online.level() < 1);
}

}  // namespace observeai::series
