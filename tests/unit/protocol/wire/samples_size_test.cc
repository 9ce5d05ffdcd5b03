// The budget: at most 3 bytes per metric sample on the wire, seal and header included.
#include <doctest/doctest.h>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"
#include "tests/unit/protocol/wire/scrape.h"

using namespace observeai;
using namespace observeai::wire;

TEST_CASE("a scrape of 3,000 series takes at most 3 bytes per sample, sent alone or with others") {
  test::Host host(1);
  const signing::SealingKey key;
  for (const std::size_t scrapes : {1U, 6U}) {
    SampleBatch batch;
    for (std::size_t i = 0; i < scrapes; ++i) batch.scrapes.push_back(host.scrape());
    const auto samples = scrapes * batch.scrapes[0].series.size();
    REQUIRE(batch.scrapes[0].series.size() == 3000);
    const auto sealed =
        seal_batch({test::Generator(1).header(), encode_samples(batch).value()}, key);
    const double per_sample = static_cast<double>(sealed.size()) / static_cast<double>(samples);
    INFO(scrapes << " scrapes: " << per_sample << " bytes per sample");
    CHECK(per_sample <= 3.0);
    CHECK(per_sample > 0.5);  // Below it the scrape would not be a busy host's
  }
}
