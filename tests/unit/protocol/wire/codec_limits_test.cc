// Every bound of batch_codec.h, at the bound and one beyond; what is encoded always decodes.
#include <doctest/doctest.h>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

SampleBatch samples(std::size_t count) {
  Scrape scrape;
  for (std::size_t i = 0; i < count; ++i) {
    scrape.series.push_back(static_cast<std::uint32_t>(i + 1));
    scrape.values.push_back(1);
  }
  return {{std::move(scrape)}};
}

LogBatch logs(std::size_t count, const std::string& target) {
  LogBatch batch;
  batch.records.resize(count);
  for (auto& record : batch.records) record.target = target;
  return batch;
}

ControlBatch definitions(std::uint32_t count) {
  ControlBatch batch;
  for (std::uint32_t id = 1; id <= count; ++id) {
    batch.series.push_back({.id = id, .target = "host", .name = "up", .labels = {{"a", "b"}}});
  }
  return batch;
}

}  // namespace

TEST_CASE("samples: as many as kMaxDecodedBytes holds") {
  const std::size_t most = (kMaxDecodedBytes - sizeof(Scrape)) / 12;
  const auto bytes = encode_samples(samples(most)).value();
  CHECK(decode_samples(bytes, Codec::kZstd)->scrapes[0].series.size() == most);
  CHECK(encode_samples(samples(most + 1)).error().code() == Errc::kLimit);
}

TEST_CASE("scrapes: as many as kMaxDecodedBytes holds") {
  const std::size_t most = kMaxDecodedBytes / sizeof(Scrape);
  SampleBatch batch;
  batch.scrapes.resize(most);
  CHECK(decode_samples(encode_samples(batch).value(), Codec::kZstd)->scrapes.size() == most);
  batch.scrapes.emplace_back();
  CHECK(encode_samples(batch).error().code() == Errc::kLimit);
}

TEST_CASE("log records: as many as kMaxDecodedBytes holds, their targets included") {
  const std::string target(200, 't');
  const std::size_t most = kMaxDecodedBytes / (sizeof(LogRecord) + target.size());
  CHECK(decode_logs(encode_logs(logs(most, target)).value(), Codec::kZstd)->records.size() == most);
  CHECK(encode_logs(logs(most + 1, target)).error().code() == Errc::kLimit);
}

TEST_CASE("log text: a body of kMaxBodyBytes, not a byte more") {
  LogBatch batch = logs(1, "host");
  batch.records[0].text.assign(kMaxBodyBytes - 100, 'x');
  const auto overhead = detail::serialize_logs(batch)->bytes.size() - batch.records[0].text.size();
  batch.records[0].text.assign(kMaxBodyBytes - overhead, 'x');
  CHECK(decode_logs(encode_logs(batch).value(), Codec::kZstd)->records == batch.records);
  batch.records[0].text.push_back('x');
  CHECK(encode_logs(batch).error().code() == Errc::kLimit);
  batch.records[0].text.assign(2 * kMaxBodyBytes, 'x');
  CHECK(encode_logs(batch).error().code() == Errc::kLimit);
}

TEST_CASE("definitions: what the encoder accepts the decoder accepts") {
  // Above any host's number of series; the exact bound follows from the cost of a definition.
  CHECK(decode_control(encode_control(definitions(40'000)).value(), Codec::kZstd)->series.size() ==
        40'000);
  CHECK(encode_control(definitions(80'000)).error().code() == Errc::kLimit);
  std::uint32_t most = 40'000;
  for (std::uint32_t step = 32'768; step > 0; step /= 2) {
    if (encode_control(definitions(most + step))) most += step;
  }
  CHECK(decode_control(encode_control(definitions(most)).value(), Codec::kZstd));
  CHECK(encode_control(definitions(most + 1)).error().code() == Errc::kLimit);
}
