#include <cmath>
#include <limits>

#include "observeai/v1/samples.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/varint.h"

// Layout: protocol/proto/observeai/v1/samples.proto.
namespace observeai::wire::detail {
namespace {

constexpr double kIntegerBound = 9007199254740992.0;  // 2^53: below it every integer is exact
constexpr std::int64_t kIntegerBoundInt = std::int64_t{1} << 53;

enum Kind : std::uint8_t { kInteger = 0, kDouble = 1, kStale = 2 };

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "sample body: " + std::string(why));
}
Error invalid(std::string_view why) {
  return Error(Errc::kInvalid, "samples: " + std::string(why));
}

Kind kind_of(double value) {
  if (std::isnan(value)) return kStale;
  const bool integral = std::fabs(value) < kIntegerBound && std::trunc(value) == value;
  return integral && !(value == 0 && std::signbit(value)) ? kInteger : kDouble;
}

// What the plain values take in memory.
std::uint64_t decoded_bytes(std::uint64_t scrapes, std::uint64_t samples) {
  return scrapes * sizeof(Scrape) + samples * (sizeof(std::uint32_t) + sizeof(double));
}

// Appends samples to the columns of a body.
class Columns {
 public:
  explicit Columns(v1::SampleBody& body) : body_(body) {}

  Result<void> add(const Scrape& scrape) {
    if (scrape.series.size() != scrape.values.size())
      return invalid("series and values differ in number");
    put_varint(*body_.mutable_scrape_ts_ms(), zigzag(difference(last_ts_ms_, scrape.ts_ms)));
    last_ts_ms_ = scrape.ts_ms;
    put_varint(*body_.mutable_scrape_lengths(), scrape.series.size());
    std::uint32_t last = 0;
    for (std::size_t i = 0; i < scrape.series.size(); ++i) {
      const auto id = scrape.series[i];
      if (id <= last) return invalid("series ids do not ascend strictly from 1");
      put_varint(*body_.mutable_series(), id - last);
      last = id;
      add_value(scrape.values[i]);
    }
    return {};
  }

 private:
  void add_value(double value) {
    const Kind kind = kind_of(value);
    auto& kinds = *body_.mutable_kinds();
    if (samples_ % 4 == 0) kinds.push_back('\0');
    kinds.back() = static_cast<char>(kinds.back() | kind << (samples_ % 4 * 2));
    ++samples_;
    if (kind == kInteger)
      put_varint(*body_.mutable_integers(), zigzag(static_cast<std::int64_t>(value)));
    if (kind == kDouble) put_double(*body_.mutable_doubles(), value);
  }

  v1::SampleBody& body_;
  std::int64_t last_ts_ms_ = 0;
  std::size_t samples_ = 0;
};

// Takes values from the three columns in the order of the kinds.
class ValueReader {
 public:
  explicit ValueReader(const v1::SampleBody& body)
      : kinds_(body.kinds()), integers_(body.integers()), doubles_(body.doubles()) {}

  std::optional<double> next() {
    const auto byte = static_cast<std::uint8_t>(kinds_[at_ / 4]);
    const auto kind = byte >> (at_ % 4 * 2) & 3;
    ++at_;
    if (kind == kStale) return std::numeric_limits<double>::quiet_NaN();
    if (kind == kDouble) {
      const auto value = doubles_.real();
      return value && !std::isnan(*value) ? value : std::nullopt;
    }
    if (kind != kInteger) return std::nullopt;
    const auto value = integers_.signed_varint();
    if (!value || *value >= kIntegerBoundInt || *value <= -kIntegerBoundInt) return std::nullopt;
    return static_cast<double>(*value);
  }
  // All used up, and the unused bits of the last byte of kinds are 0.
  bool at_end() const {
    const auto used = at_ % 4 * 2;
    const bool clean = used == 0 || static_cast<std::uint8_t>(kinds_[at_ / 4]) >> used == 0;
    return integers_.at_end() && doubles_.at_end() && clean;
  }

 private:
  const std::string& kinds_;
  ColumnReader integers_;
  ColumnReader doubles_;
  std::size_t at_ = 0;
};

// The number of samples of each scrape; their sum fits the columns that are there.
Result<std::vector<std::size_t>> read_lengths(const v1::SampleBody& body) {
  std::vector<std::size_t> lengths;
  std::uint64_t total = 0;
  ColumnReader column(body.scrape_lengths());
  while (!column.at_end()) {
    const auto length = column.varint();
    if (!length || *length > body.series().size() - total)
      return corrupt("scrape lengths do not fit");
    total += *length;
    if (decoded_bytes(lengths.size() + 1, total) > kMaxDecodedBytes)
      return corrupt("too many samples");
    lengths.push_back(*length);
  }
  if (body.kinds().size() != (total + 3) / 4) return corrupt("kinds do not fit the scrape lengths");
  return lengths;
}

Result<Scrape> read_scrape(std::size_t length, ColumnReader& series, ValueReader& values) {
  Scrape scrape;
  scrape.series.reserve(length);
  scrape.values.reserve(length);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const auto step = series.varint32();
    if (!step || *step == 0 || last + *step > UINT32_MAX) return corrupt("bad series column");
    last += *step;
    const auto value = values.next();
    if (!value) return corrupt("bad value columns");
    scrape.series.push_back(static_cast<std::uint32_t>(last));
    scrape.values.push_back(*value);
  }
  return scrape;
}

}  // namespace

Result<std::string> serialize_samples(const SampleBatch& batch) {
  std::uint64_t samples = 0;
  for (const auto& scrape : batch.scrapes) samples += scrape.series.size();
  if (decoded_bytes(batch.scrapes.size(), samples) > kMaxDecodedBytes) {
    return Error(Errc::kLimit, std::to_string(samples) + " samples are too many for one batch");
  }
  v1::SampleBody body;
  body.set_encoding(v1::VALUE_ENCODING_SPLIT);
  Columns columns(body);
  for (const auto& scrape : batch.scrapes) {
    TRY_VOID(columns.add(scrape));
  }
  return body.SerializeAsString();
}

Result<SampleBatch> parse_samples(std::string_view bytes) {
  v1::SampleBody body;
  if (!body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  if (body.encoding() != v1::VALUE_ENCODING_SPLIT) {
    return corrupt("unknown value encoding " + std::to_string(body.encoding()));
  }
  TRY(const auto lengths, read_lengths(body));
  ColumnReader times(body.scrape_ts_ms());
  ColumnReader series(body.series());
  ValueReader values(body);
  SampleBatch batch;
  batch.scrapes.reserve(lengths.size());
  std::int64_t ts_ms = 0;
  for (const auto length : lengths) {
    const auto step = times.signed_varint();
    if (!step) return corrupt("bad time column");
    ts_ms = next_value(ts_ms, *step);
    TRY(Scrape scrape, read_scrape(length, series, values));
    scrape.ts_ms = ts_ms;
    batch.scrapes.push_back(std::move(scrape));
  }
  if (!times.at_end() || !series.at_end() || !values.at_end())
    return corrupt("columns are too long");
  return batch;
}

}  // namespace observeai::wire::detail
