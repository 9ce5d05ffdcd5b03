#include "controlplane/predict/accuracy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace observeai::predict {
namespace {

// The least value that a part of `q` does not exceed (nearest rank).
std::optional<std::int64_t> quantile(std::vector<std::int64_t> values, double q) {
  if (values.empty()) return std::nullopt;
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  const auto place = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

std::optional<double> ratio(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

constexpr char kVersion = 1;

void put(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift & 0xFF)));
}
std::uint64_t get(std::string_view bytes, std::size_t place) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[place * 8 + i])} << (8 * i);
  return value;
}

}  // namespace

Announced announced(std::span<const Closed> closed) {
  Announced out;
  std::uint64_t useful = 0;
  std::vector<std::int64_t> leads;
  std::vector<std::int64_t> errors;
  for (const auto& one : closed) {
    switch (one.outcome) {
      case Outcome::kHit:
        ++out.hits;
        if (one.lead_ms >= kUsefulLeadMs && one.lead_ms <= one.longest_useful_ms) ++useful;
        leads.push_back(one.lead_ms);
        errors.push_back(std::abs(one.error_ms));
        break;
      case Outcome::kMiss:
        ++out.misses;
        break;
      case Outcome::kFalseAlarm:
        ++out.false_alarms;
        break;
      case Outcome::kPrevented:
        ++out.prevented;
        break;
      case Outcome::kUnknown:
        ++out.unknown;
        break;
    }
  }
  out.precision = ratio(out.hits, out.hits + out.false_alarms);
  out.recall = ratio(out.hits, out.hits + out.misses);
  out.useful_recall = ratio(useful, out.hits + out.misses);
  out.lead_median_ms = quantile(leads, 0.5);
  out.lead_p10_ms = quantile(std::move(leads), 0.1);
  out.error_median_ms = quantile(std::move(errors), 0.5);
  return out;
}

void Calibration::add(double p, bool happened) {
  if (!(p >= 0 && p <= 1)) return;
  auto& bin = bins_[std::min(static_cast<std::size_t>(p * kBins), kBins - 1)];
  ++bin.count;
  bin.happened += happened ? 1 : 0;
  bin.sum_p += p;
  const double miss = p - (happened ? 1 : 0);
  sum_squares_ += miss * miss;
}

void Calibration::add(const Calibration& other) {
  for (std::size_t i = 0; i < kBins; ++i) {
    bins_[i].count += other.bins_[i].count;
    bins_[i].happened += other.bins_[i].happened;
    bins_[i].sum_p += other.bins_[i].sum_p;
  }
  sum_squares_ += other.sum_squares_;
}

std::uint64_t Calibration::count() const {
  std::uint64_t sum = 0;
  for (const auto& bin : bins_) sum += bin.count;
  return sum;
}
std::uint64_t Calibration::happened() const {
  std::uint64_t sum = 0;
  for (const auto& bin : bins_) sum += bin.happened;
  return sum;
}

std::optional<double> Calibration::brier() const {
  if (count() == 0) return std::nullopt;
  return sum_squares_ / static_cast<double>(count());
}

std::optional<double> Calibration::skill() const {
  const auto mean = ratio(happened(), count());
  if (!mean || *mean <= 0 || *mean >= 1) return std::nullopt;
  return 1 - *brier() / (*mean * (1 - *mean));
}

std::string Calibration::encode() const {
  std::string out(1, kVersion);
  for (const auto& bin : bins_) {
    put(out, bin.count);
    put(out, bin.happened);
    put(out, std::bit_cast<std::uint64_t>(bin.sum_p));
  }
  put(out, std::bit_cast<std::uint64_t>(sum_squares_));
  return out;
}

Result<Calibration> Calibration::decode(std::string_view bytes) {
  constexpr std::size_t kBytes = 1 + 8 * (3 * kBins + 1);
  if (bytes.size() != kBytes || bytes[0] != kVersion)
    return Error(Errc::kCorrupt, "stored calibration is of another version, or damaged");
  bytes.remove_prefix(1);
  Calibration out;
  for (std::size_t i = 0; i < kBins; ++i) {
    out.bins_[i] = {get(bytes, 3 * i), get(bytes, 3 * i + 1),
                    std::bit_cast<double>(get(bytes, 3 * i + 2))};
    if (out.bins_[i].happened > out.bins_[i].count || !(out.bins_[i].sum_p >= 0))
      return Error(Errc::kCorrupt, "stored calibration is damaged");
  }
  out.sum_squares_ = std::bit_cast<double>(get(bytes, 3 * kBins));
  if (!(out.sum_squares_ >= 0)) return Error(Errc::kCorrupt, "stored calibration is damaged");
  return out;
}

}  // namespace observeai::predict
