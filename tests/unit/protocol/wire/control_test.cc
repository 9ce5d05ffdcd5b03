#include <doctest/doctest.h>

#include "observeai/v1/control.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/detail/body.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

Errc refused(const v1::ControlBody& body) {
  const auto batch = detail::parse_control(body.SerializeAsString());
  REQUIRE_FALSE(batch);
  return batch.error().code();
}

Errc refused_bytes(const std::string& bytes) {
  const auto batch = detail::parse_control(bytes);
  REQUIRE_FALSE(batch);
  return batch.error().code();
}

std::string repeated(std::string_view unit, std::size_t times) {
  std::string out;
  out.reserve(unit.size() * times);
  for (std::size_t i = 0; i < times; ++i) out.append(unit);
  return out;
}

// tag, length in three bytes, content
std::string wrapped(char tag, const std::string& content) {
  std::string out(1, tag);
  const auto n = content.size();
  out.push_back(static_cast<char>(n | 0x80));
  out.push_back(static_cast<char>(n >> 7 | 0x80));
  out.push_back(static_cast<char>(n >> 14 | 0x80));
  out.push_back(static_cast<char>(n >> 21));
  return out + content;
}

const Labels kUnsorted{{"b", "1"}, {"a", "2"}};
const Labels kDouble{{"a", "1"}, {"a", "2"}};

}  // namespace

TEST_CASE("control batches come back") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CAPTURE(seed);
    const auto batch = test::Generator(seed).control();
    const auto bytes = encode_control(batch).value();
    const auto decoded = decode_control(bytes, Codec::kZstd).value();
    REQUIRE(test::same(batch, decoded));
    REQUIRE(encode_control(decoded).value() == bytes);
  }
}

TEST_CASE("labels that are not sorted or not unique are refused on both sides, wherever they are") {
  for (const auto& labels : {kUnsorted, kDouble}) {
    ControlBatch series;
    series.series = {{.id = 1, .target = "host", .name = "up", .labels = labels}};
    CHECK(encode_control(series).error().code() == Errc::kInvalid);
    ControlBatch event;
    event.events = {
        {.ts_ms = 0, .kind = "k", .target = "host", .message = "", .attributes = labels}};
    CHECK(encode_control(event).error().code() == Errc::kInvalid);
    ControlBatch inventory;
    inventory.inventory.resize(1);
    inventory.inventory[0].containers.upserts.resize(1);
    inventory.inventory[0].containers.upserts[0].labels = labels;
    CHECK(encode_control(inventory).error().code() == Errc::kInvalid);

    const auto fill = [&labels](auto* out) {
      for (const auto& label : labels) {
        auto* added = out->Add();
        added->set_name(label.name);
        added->set_value(label.value);
      }
    };
    v1::ControlBody body;
    auto* definition = body.add_series();
    definition->set_id(1);
    definition->set_kind(v1::METRIC_KIND_GAUGE);
    REQUIRE(detail::parse_control(body.SerializeAsString()));
    fill(definition->mutable_labels());
    CHECK(refused(body) == Errc::kCorrupt);
    body.Clear();
    body.add_events()->set_severity(v1::SEVERITY_INFO);
    REQUIRE(detail::parse_control(body.SerializeAsString()));
    fill(body.mutable_events(0)->mutable_attributes());
    CHECK(refused(body) == Errc::kCorrupt);
    body.Clear();
    fill(body.add_inventory()->mutable_containers()->add_upserts()->mutable_labels());
    CHECK(refused(body) == Errc::kCorrupt);
  }
}

TEST_CASE("unknown enumerators and missing ids are refused on both sides") {
  ControlBatch batch;
  batch.series = {{.id = 0, .target = "host", .name = "up", .labels = {}}};
  CHECK(encode_control(batch).error().code() == Errc::kInvalid);
  batch.series[0].id = 1;
  batch.series[0].kind = static_cast<MetricKind>(3);
  CHECK(encode_control(batch).error().code() == Errc::kInvalid);
  batch = {};
  batch.events.resize(1);
  batch.events[0].severity = static_cast<Severity>(6);
  CHECK(encode_control(batch).error().code() == Errc::kInvalid);
  batch = {};
  batch.ledger.resize(1);
  batch.ledger[0].lane = static_cast<Lane>(4);
  CHECK(encode_control(batch).error().code() == Errc::kInvalid);

  for (const int number : {0, 3, 257, -1, 1 << 30}) {
    CAPTURE(number);
    v1::ControlBody body;
    body.add_series()->set_id(1);
    body.mutable_series(0)->set_kind(static_cast<v1::MetricKind>(number));
    CHECK(refused(body) == Errc::kCorrupt);
    body.Clear();
    body.add_events()->set_severity(static_cast<v1::Severity>(number == 3 ? 6 : number));
    CHECK(refused(body) == Errc::kCorrupt);
  }
  v1::ControlBody body;
  body.add_series()->set_kind(v1::METRIC_KIND_GAUGE);
  CHECK(refused(body) == Errc::kCorrupt);
  body.Clear();
  body.add_ledger()->set_lane(4);
  CHECK(refused(body) == Errc::kCorrupt);
  body.mutable_ledger(0)->set_lane(256);
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("results travel as they are, within bounds that both sides apply") {
  const std::string longest(kMaxResultEnvelopeBytes, 'r');
  ControlBatch batch;
  batch.results = {std::string("\0\xFF", 2), longest};
  CHECK(decode_control(encode_control(batch).value(), Codec::kZstd)->results == batch.results);
  for (const auto& bad : {std::string(), longest + "r"}) {
    batch.results = {"good", bad};
    CHECK(encode_control(batch).error().code() == Errc::kInvalid);
    v1::ControlBody body;
    body.add_results("good");
    REQUIRE(detail::parse_control(body.SerializeAsString()));
    body.add_results(bad);
    CHECK(refused(body) == Errc::kCorrupt);
  }
  // Two bytes can claim a string.
  CHECK(refused_bytes(repeated(std::string("\x2A\x00", 2), 300'000)) == Errc::kCorrupt);
}

TEST_CASE("the longest result fits a batch, even one that zstd cannot shrink") {
  test::Generator random(7);
  std::string noise;
  while (noise.size() < kMaxResultEnvelopeBytes) noise.push_back(static_cast<char>(random.bits()));
  ControlBatch batch;
  batch.results = {noise};
  CHECK(encode_control(batch));
}

TEST_CASE("reasons of drops ascend strictly") {
  v1::ControlBody body;
  auto* entry = body.add_ledger();
  entry->add_records_dropped()->set_reason("b");
  entry->add_records_dropped()->set_reason("c");
  CHECK(detail::parse_control(body.SerializeAsString()));
  entry->mutable_records_dropped(1)->set_reason("b");
  CHECK(refused(body) == Errc::kCorrupt);
  entry->mutable_records_dropped(1)->set_reason("a");
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("fields of a later version are passed over") {
  ControlBatch batch;
  batch.series = {{.id = 1, .target = "host", .name = "up", .labels = {}}};
  auto bytes = detail::serialize_control(batch).value();
  bytes += std::string("\x7A\x03new", 5);  // Field 15, length-delimited
  CHECK(detail::parse_control(bytes)->series == batch.series);
}

TEST_CASE("claims of many elements are counted before memory is taken for them") {
  constexpr std::size_t kMany = 4'000'000;  // Two bytes each, hundreds of bytes in memory
  CHECK(refused_bytes(repeated(std::string_view("\x0A\x00", 2), kMany)) ==
        Errc::kCorrupt);  // series
  CHECK(refused_bytes(repeated(std::string_view("\x12\x00", 2), kMany)) ==
        Errc::kCorrupt);  // inventory
  CHECK(refused_bytes(repeated(std::string_view("\x1A\x00", 2), kMany)) ==
        Errc::kCorrupt);  // events
  CHECK(refused_bytes(repeated(std::string_view("\x22\x00", 2), kMany)) ==
        Errc::kCorrupt);  // ledger
  const auto labels = repeated(std::string_view("\x2A\x00", 2), kMany);
  CHECK(refused_bytes(wrapped('\x0A', labels)) == Errc::kCorrupt);  // labels of one series
  const auto removed = repeated(std::string_view("\x1A\x00", 2), kMany);
  CHECK(refused_bytes(wrapped('\x12', wrapped('\x1A', removed))) ==
        Errc::kCorrupt);  // keys of one section
  const auto pids = wrapped('\x42', std::string(7'000'000, '\x01'));
  CHECK(refused_bytes(wrapped('\x12', wrapped('\x22', wrapped('\x12', pids)))) == Errc::kCorrupt);
}

TEST_CASE("bytes that are no message are refused") {
  for (const auto& bytes : {std::string("\x0A"), std::string("\x0A\x05"), std::string("\x0B\x0C"),
                            std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
                            std::string(1, '\0'), std::string("\x8A\x80\x80\x80\x10\x00", 6)}) {
    CHECK(refused_bytes(bytes) == Errc::kCorrupt);
  }
}

TEST_CASE("random and damaged bytes never crash, and what decodes encodes again") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    test::Generator random(seed);
    const auto bytes = detail::serialize_control(random.control()).value();
    for (int i = 0; i < 500; ++i) {
      auto damaged = bytes.empty() ? random.bytes(300) : bytes;
      for (auto n = 1 + random.below(3); n > 0 && !damaged.empty(); --n) {
        damaged[random.below(damaged.size())] = static_cast<char>(random.bits());
      }
      const auto batch = detail::parse_control(damaged);
      if (batch) CHECK(detail::serialize_control(*batch));
      if (!batch) CHECK(batch.error().code() == Errc::kCorrupt);
      ignore(detail::parse_samples(damaged), "must not crash");
      ignore(detail::parse_logs(damaged), "must not crash");
    }
  }
}
