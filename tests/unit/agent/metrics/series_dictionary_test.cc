#include "agent/metrics/series_dictionary.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace observeai::agent {
namespace {

constexpr Metric kLoad = gauge("node_load1");

SeriesRef add(SeriesDictionary& dictionary, std::string_view target, std::string_view name,
              double value) {
  const SeriesRef ref = dictionary.resolve(target, gauge(name), {});
  dictionary.set(ref, value);
  return ref;
}

TEST_CASE("a series keeps its number, labels are sorted, definitions wait for the commit") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(1000);
  const SeriesRef ref = dictionary.resolve("host", counter("node_cpu_seconds_total"),
                                           {{"mode", "idle"}, {"cpu", "0"}});
  CHECK(dictionary.set(ref, 5));
  const wire::Scrape first = dictionary.finish();
  CHECK(first.ts_ms == 1000);
  CHECK(first.series == std::vector<std::uint32_t>{1});
  CHECK(first.values == std::vector<double>{5});
  REQUIRE(dictionary.new_definitions().size() == 1);
  const wire::SeriesDefinition expected{1,
                                        "host",
                                        "node_cpu_seconds_total",
                                        {{"cpu", "0"}, {"mode", "idle"}},
                                        wire::MetricKind::kCounter};
  CHECK(dictionary.new_definitions()[0] == expected);

  dictionary.begin(2000);
  const SeriesRef again = dictionary.resolve("host", counter("node_cpu_seconds_total"),
                                             {{"cpu", "0"}, {"mode", "idle"}});
  CHECK(again.id == ref.id);
  dictionary.finish();
  CHECK(dictionary.new_definitions().size() == 1);  // The commit may have failed
  dictionary.committed();
  CHECK(dictionary.new_definitions().empty());
}

TEST_CASE("ids ascend in a scrape whatever the order of the values") {
  SeriesDictionary dictionary({}, 7);
  dictionary.begin(0);
  const SeriesRef a = add(dictionary, "host", "a", 1);
  const SeriesRef b = add(dictionary, "host", "b", 2);
  dictionary.finish();
  dictionary.begin(1);
  dictionary.set(b, 20);
  dictionary.set(a, 10);
  const wire::Scrape scrape = dictionary.finish();
  CHECK(scrape.series == std::vector<std::uint32_t>{7, 8});
  CHECK(scrape.values == std::vector<double>{10, 20});
}

TEST_CASE("a series that is gone gets one NaN, and its number back when it returns") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  const SeriesRef a = add(dictionary, "host", "a", 1);
  add(dictionary, "host", "b", 2);
  dictionary.finish();

  dictionary.begin(1);
  dictionary.set(a, 1);
  const wire::Scrape marked = dictionary.finish();
  REQUIRE(marked.series == std::vector<std::uint32_t>{1, 2});
  CHECK(std::isnan(marked.values[1]));
  dictionary.committed();

  dictionary.begin(2);
  dictionary.set(a, 1);
  CHECK(dictionary.finish().series == std::vector<std::uint32_t>{1});

  dictionary.begin(3);
  CHECK(add(dictionary, "host", "b", 2).id == 2);
  CHECK(dictionary.finish().series == std::vector<std::uint32_t>{1, 2});
}

TEST_CASE("a stale mark in a scrape that was not committed is repeated") {
  const std::vector<wire::SeriesDefinition> known = {
      {1, "host", "loaded", {}, wire::MetricKind::kGauge}};
  SeriesDictionary dictionary(known, 2);
  const auto scrape = [&](bool with_b) {
    dictionary.begin(0);
    add(dictionary, "host", "a", 1);
    if (with_b) add(dictionary, "host", "b", 1);
    return dictionary.finish();
  };
  const std::vector<std::uint32_t> present = {2, 3};
  const std::vector<std::uint32_t> both_marked = {1, 2, 3};
  CHECK(scrape(true).series == present);
  CHECK(scrape(true).series == present);
  dictionary.committed();
  for (int i = 0; i < 2; ++i) {
    const wire::Scrape refused = scrape(false);
    REQUIRE(refused.series == both_marked);
    CHECK(std::isnan(refused.values[0]));
    CHECK(std::isnan(refused.values[2]));
  }
  // Back before the mark was committed: the control plane never sees that it was away.
  CHECK(scrape(true).values[2] == 1);
  CHECK(scrape(false).series == both_marked);
  dictionary.committed();
  CHECK(scrape(false).series == std::vector<std::uint32_t>{2});
}

TEST_CASE("an uncommitted stale mark keeps its series known, whatever the limits") {
  SeriesDictionary dictionary({}, 1, {10, 1});
  dictionary.begin(0);
  add(dictionary, "host", "gone", 1);
  dictionary.finish();
  for (std::uint32_t i = 0; i < SeriesDictionary::kForgetAfterScrapes + 10; ++i) {
    dictionary.begin(i);
    CHECK(dictionary.resolve("host", gauge("other"), {}).slot == SeriesRef::kNone);
    CHECK(dictionary.finish().series == std::vector<std::uint32_t>{1});
  }
  dictionary.committed();
  dictionary.begin(0);
  CHECK(add(dictionary, "host", "other", 1).id == 2);
  CHECK(dictionary.forgotten() == std::vector<std::uint32_t>{1});
}

TEST_CASE("numbers from before a restart are kept, new ones start where the spool says") {
  const std::vector<wire::SeriesDefinition> known = {
      {9, "host", "b", {}, wire::MetricKind::kGauge},
      {4, "host", "a", {{"x", "y"}}, wire::MetricKind::kGauge},
  };
  SeriesDictionary dictionary(known, 12);
  dictionary.begin(0);
  CHECK(dictionary.resolve("host", gauge("a"), {{"x", "y"}}).id == 4);
  CHECK(add(dictionary, "host", "new", 1).id == 12);
  CHECK(dictionary.new_definitions().size() == 1);
  // Known but without a value yet: the first scrapes may come before the inventory is complete.
  CHECK(dictionary.finish().series == std::vector<std::uint32_t>{12});
  for (std::uint32_t scrape = 2; scrape < SeriesDictionary::kLoadedGraceScrapes; ++scrape) {
    dictionary.begin(scrape);
    dictionary.set(dictionary.resolve("host", gauge("new"), {}), 1);
    CHECK(dictionary.finish().series == std::vector<std::uint32_t>{12});
  }
  dictionary.begin(9);
  dictionary.set(dictionary.resolve("host", gauge("b"), {}), 1);
  const wire::Scrape scrape = dictionary.finish();
  CHECK(scrape.series == std::vector<std::uint32_t>{4, 9, 12});
  CHECK(std::isnan(scrape.values[0]));
  CHECK(scrape.values[1] == 1);
}

TEST_CASE("a damaged store cannot make two series share an id or a key") {
  const std::vector<wire::SeriesDefinition> known = {
      {5, "host", "a", {}, wire::MetricKind::kGauge},
      {5, "host", "b", {}, wire::MetricKind::kGauge},
      {6, "host", "a", {}, wire::MetricKind::kGauge},
      {0, "host", "zero", {}, wire::MetricKind::kGauge},
  };
  SeriesDictionary dictionary(known, 3);
  dictionary.begin(0);
  for (const char* name : {"a", "b", "zero", "c"}) add(dictionary, "host", name, 1);
  const wire::Scrape scrape = dictionary.finish();
  REQUIRE(scrape.series.size() == 4);
  for (std::size_t i = 1; i < scrape.series.size(); ++i) {
    CHECK(scrape.series[i] > scrape.series[i - 1]);
  }
}

TEST_CASE("forgotten series lose their number for good; an old ref is refused") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  const SeriesRef old = add(dictionary, "container/aa", "x", 1);
  add(dictionary, "container/ab", "x", 1);
  dictionary.finish();
  dictionary.forget("container/aa");
  CHECK(dictionary.forgotten() == std::vector<std::uint32_t>{1});
  CHECK(dictionary.known() == 1);

  dictionary.begin(1);
  CHECK_FALSE(dictionary.set(old, 2));
  // The slot is used again, the number is not.
  const SeriesRef fresh = add(dictionary, "host", "y", 3);
  CHECK(fresh.slot == old.slot);
  CHECK(fresh.id == 3);
  CHECK_FALSE(dictionary.set(old, 2));
  CHECK(add(dictionary, "container/aa", "x", 1).id == 4);
  dictionary.committed();
  CHECK(dictionary.forgotten().empty());
}

TEST_CASE("a series that stays away is forgotten by itself") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  add(dictionary, "host", "gone", 1);
  const SeriesRef stays = add(dictionary, "host", "stays", 1);
  dictionary.finish();
  for (std::uint32_t i = 1; i < SeriesDictionary::kForgetAfterScrapes; ++i) {
    dictionary.begin(i);
    dictionary.set(stays, 1);
    dictionary.finish();
    dictionary.committed();
  }
  CHECK(dictionary.known() == 2);
  dictionary.begin(0);
  dictionary.set(stays, 1);
  dictionary.finish();
  CHECK(dictionary.known() == 1);
  CHECK(dictionary.forgotten() == std::vector<std::uint32_t>{1});
}

TEST_CASE("at the limit of a scrape the rest is refused and counted") {
  SeriesDictionary dictionary({}, 1, {3, 10});
  dictionary.begin(0);
  for (const char* name : {"a", "b", "c"}) add(dictionary, "host", name, 1);
  CHECK(dictionary.counts().refused == 0);
  const SeriesRef refused = dictionary.resolve("host", gauge("d"), {});
  CHECK(refused.slot == SeriesRef::kNone);
  CHECK_FALSE(dictionary.set(refused, 1));
  CHECK(dictionary.counts().refused == 1);
  CHECK(dictionary.finish().series.size() == 3);
  CHECK(dictionary.new_definitions().size() == 3);
}

TEST_CASE(
    "the limit of a scrape holds for known series too; one that does not fit is marked as gone") {
  SeriesDictionary dictionary({}, 1, {3, 10});
  dictionary.begin(0);
  std::vector<SeriesRef> refs;
  for (const char* name : {"a", "b", "c"}) refs.push_back(add(dictionary, "host", name, 1));
  dictionary.finish();
  dictionary.begin(1);
  add(dictionary, "host", "d", 1);
  for (const SeriesRef ref : refs) CHECK(dictionary.set(ref, 2));
  CHECK(dictionary.counts().refused == 1);
  const wire::Scrape scrape = dictionary.finish();
  CHECK(scrape.series == std::vector<std::uint32_t>{1, 2, 3, 4});
  CHECK(std::isnan(scrape.values[2]));
}

TEST_CASE("at the limit of known series those that are gone make room") {
  SeriesDictionary dictionary({}, 1, {10, 3});
  for (int scrape = 0; scrape < 3; ++scrape) {
    dictionary.begin(scrape);
    if (scrape == 0) {
      for (const char* name : {"a", "b", "c"}) add(dictionary, "host", name, 1);
    } else {
      add(dictionary, "host", "a", 1);
    }
    dictionary.finish();
    dictionary.committed();
  }
  dictionary.begin(3);
  add(dictionary, "host", "a", 1);
  CHECK(add(dictionary, "host", "d", 1).id == 4);
  CHECK(add(dictionary, "host", "e", 1).id == 5);
  CHECK(dictionary.resolve("host", gauge("f"), {}).slot == SeriesRef::kNone);
  CHECK(dictionary.counts().refused == 1);
  CHECK(dictionary.finish().series == std::vector<std::uint32_t>{1, 4, 5});
}

TEST_CASE("values that cannot be sent and second values are counted, not sent") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  const SeriesRef ref = dictionary.resolve("host", kLoad, {});
  CHECK(dictionary.set(ref, std::numeric_limits<double>::infinity()));
  CHECK(dictionary.set(ref, std::nan("")));
  CHECK(dictionary.set(ref, 1));
  CHECK(dictionary.set(ref, 2));
  CHECK(dictionary.counts().not_finite == 2);
  CHECK(dictionary.counts().duplicates == 1);
  CHECK(dictionary.finish().values == std::vector<double>{1});
}

TEST_CASE("foreign label text becomes valid and bounded") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  const std::string long_text(SeriesDictionary::kMaxLabelBytes + 100, 'x');
  dictionary.resolve("host", kLoad,
                     {{"bad",
                       "a\xff"
                       "b"},
                      {"long", long_text}});
  const wire::Labels& labels = dictionary.new_definitions().at(0).labels;
  CHECK(labels[0].value ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(labels[1].value.size() == SeriesDictionary::kMaxLabelBytes);
}

TEST_CASE("no text in a part can make two series one") {
  SeriesDictionary dictionary({}, 1);
  dictionary.begin(0);
  const auto a = dictionary.resolve("host", gauge("m"), {{"a", "1"}, {"b", "2"}});
  const auto b = dictionary.resolve("host", gauge("m"),
                                    {{"a", std::string_view("1\0b\0"
                                                            "2",
                                                            5)}});
  const auto c = dictionary.resolve("hostm", gauge(""), {{"a", "1"}, {"b", "2"}});
  CHECK(a.id != b.id);
  CHECK(a.id != c.id);
}

}  // namespace
}  // namespace observeai::agent
