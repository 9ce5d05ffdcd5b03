#include "controlplane/outlook/followed.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace observeai::controlplane::outlook {
namespace {

constexpr std::uint64_t kVersion = 2;
constexpr std::size_t kMaxUnitBytes = 16;

class Writer {
 public:
  void number(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
      bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift & 0xFF)));
  }
  void ms(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }
  void flag(bool value) { number(value ? 1 : 0); }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// What is missing reads as zeros and makes the whole invalid.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    if (rest_.size() < 8) {
      is_valid_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
      value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    rest_.remove_prefix(8);
    return value;
  }
  std::int64_t ms() { return static_cast<std::int64_t>(number()); }
  double real() { return std::bit_cast<double>(number()); }
  bool flag() { return number() != 0; }
  std::string_view text(std::size_t most) {
    const auto size = number();
    if (size > most || size > rest_.size()) {
      is_valid_ = false;
      return {};
    }
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  bool is_whole() const { return is_valid_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_valid_ = true;
};

}  // namespace

const predict::Forecast& Followed::OnClock::newest() const {
  return std::visit([](const auto& one) -> const predict::Forecast& { return one.newest(); },
                    forecaster);
}

bool Followed::OnClock::take(std::int64_t now, const predict::Reading& reading) {
  if (now <= step) return false;
  if (auto* exhaustion = std::get_if<predict::ExhaustionForecaster>(&forecaster)) {
    exhaustion->observe(now, reading.used / reading.limit);
  } else {
    predict::ServiceStep seen;  // Not known over a gap, or when the counters began anew
    if (now == step + 1 && reading.used >= errors && reading.limit >= others) {
      seen.errors = reading.used - errors;
      seen.others = reading.limit - others;
      errors_of_step = seen.errors;
    }
    // What was counted by the beginning of this step came in the one before.
    std::get<predict::HazardForecaster>(forecaster).observe(now - 1, seen);
    errors = reading.used;
    others = reading.limit;
  }
  step = now;
  return true;
}

void Followed::OnClock::begin_regime(std::int64_t now) {
  std::visit([&](auto& one) { one.begin_regime(now); }, forecaster);
}

void Followed::OnClock::rescale(double factor) {
  if (auto* exhaustion = std::get_if<predict::ExhaustionForecaster>(&forecaster))
    exhaustion->rescale(factor);
}

std::string Followed::OnClock::encode() const {
  return std::visit([](const auto& one) { return one.encode(); }, forecaster);
}

bool Followed::OnClock::decode(std::string_view bytes) {
  return std::visit(
      [&](auto& one) {
        auto decoded = std::remove_reference_t<decltype(one)>::decode(bytes);
        if (decoded) one = std::move(*decoded);
        return decoded.has_value();
      },
      forecaster);
}

bool Followed::is_usable(const predict::Reading& reading) {
  return reading.limit > 0 || (reading.kind == predict::Kind::kErrors && reading.limit == 0);
}

predict::Reading Followed::shown() const {
  if (has_limit()) return newest_;
  constexpr double kMinuteMs = 60'000;
  auto out = newest_;
  out.used = slow_.errors_of_step * kMinuteMs / slow_ms_;
  out.limit = 0;
  return out;
}

Followed::Followed(const predict::Reading& first, const Clocks& clocks)
    : newest_(first), slow_ms_(static_cast<double>(clocks.slow_ms)) {
  if (!has_limit()) {
    slow_.forecaster.emplace<predict::HazardForecaster>();
    fast_.forecaster.emplace<predict::HazardForecaster>();
  }
  if (first.ts_ms == 0 || !is_usable(first)) return;
  // It may have been exhausted for long: that is no event that was seen.
  is_exhausted_ = is_full();
  step(clocks);
}

double Followed::share_at(std::int64_t ts_ms) const {
  if (!has_limit()) return 0;
  return ts_ms < replaced_ms_ ? share_before_ : newest_.used / newest_.limit;
}

bool Followed::is_full() const {
  return has_limit() && newest_.used >= newest_.limit * (has_date() ? 1.0 : kExhausted);
}

bool Followed::step(const Clocks& clocks) {
  if (has_date()) {
    const double left_ms = (newest_.limit - newest_.used) * 1'000;
    const auto step_ms = static_cast<double>(clocks.slow_ms);
    date_.left_p10 = date_.left_p50 = date_.left_p90 = std::max(0.0, left_ms / step_ms);
    date_.p_horizon = date_.left_p50 <= predict::kHorizonSteps ? 1 : 0;
    date_.alarm = left_ms <= static_cast<double>(kCertificateNoticeMs);
    date_.shape = predict::Shape::kLinear;
    date_.slope = step_ms / 1'000 / newest_.limit;
    const std::int64_t before = std::exchange(slow_.step, newest_.ts_ms / clocks.slow_ms);
    return slow_.step > before;
  }
  const bool slow_stepped = slow_.take(newest_.ts_ms / clocks.slow_ms, newest_);
  const bool fast_stepped = fast_.take(newest_.ts_ms / clocks.fast_ms, newest_);
  return slow_stepped || fast_stepped;
}

Followed::News Followed::observe(const predict::Reading& reading, const Clocks& clocks) {
  News news;
  if (reading.ts_ms <= newest_.ts_ms || !is_usable(reading)) return news;
  news.is_new = true;
  const bool is_another = reading.is_of_worst && reading.limit != newest_.limit;
  if (is_another || predict::is_new_regime(newest_.regime, reading.regime)) {
    news.is_replaced = is_another || newest_.regime != 0;
    share_before_ = share_at(newest_.ts_ms);
    replaced_ms_ = reading.ts_ms;
    slow_.begin_regime(reading.ts_ms / clocks.slow_ms);
    fast_.begin_regime(reading.ts_ms / clocks.fast_ms);
  }
  news.is_raised = has_limit() && !news.is_replaced && newest_.configured > 0 &&
                   reading.configured > newest_.configured * kRaised;
  if (has_limit() && !is_another && reading.limit != newest_.limit) {
    slow_.rescale(reading.limit / newest_.limit);
    fast_.rescale(reading.limit / newest_.limit);
  }
  newest_ = reading;
  news.has_stepped = step(clocks);
  news.is_exhausted = !is_exhausted_ && is_full();
  if (is_full()) is_exhausted_ = true;
  if (reading.used < reading.limit * kRelieved) is_exhausted_ = false;
  return news;
}

std::string Followed::encode(const Clocks& clocks) const {
  Writer out;
  out.number(kVersion);
  out.ms(clocks.slow_ms);
  out.ms(clocks.fast_ms);
  out.real(newest_.used);
  out.real(newest_.limit);
  out.real(newest_.configured);
  out.text(std::string_view(newest_.unit).substr(0, kMaxUnitBytes));
  out.ms(newest_.ts_ms);
  out.ms(newest_.regime);
  out.flag(is_exhausted_);
  out.real(share_before_);
  out.ms(replaced_ms_);
  out.ms(last_event_ms);
  out.flag(awaits_kill);
  out.ms(stated.made_ms);
  out.real(stated.p);
  out.flag(life.has_value());
  if (life) {
    out.ms(life->horizon_ms);
    out.ms(life->known_ms);
    out.ms(life->quiet_ms);
    out.ms(life->ended_ms);
    out.flag(life->is_gone);
    out.flag(life->has_acted);
  }
  for (const auto* clock : {&slow_, &fast_}) {
    out.ms(clock->step);
    out.real(clock->errors);
    out.real(clock->others);
    out.real(clock->errors_of_step);
    out.text(clock->encode());
  }
  return out.take();
}

Result<Followed> Followed::decode(std::string_view bytes, const predict::Reading& name,
                                  const Clocks& clocks) {
  const Error damaged(Errc::kCorrupt, "stored forecasters are damaged or of another version");
  Reader in(bytes);
  if (in.number() != kVersion || in.ms() != clocks.slow_ms || in.ms() != clocks.fast_ms)
    return damaged;
  predict::Reading nothing = name;
  nothing.ts_ms = 0;
  Followed out(nothing, clocks);
  out.newest_.used = in.real();
  out.newest_.limit = in.real();
  out.newest_.configured = in.real();
  out.newest_.unit = in.text(kMaxUnitBytes);
  out.newest_.ts_ms = in.ms();
  out.newest_.regime = in.ms();
  out.is_exhausted_ = in.flag();
  out.share_before_ = in.real();
  out.replaced_ms_ = in.ms();
  out.last_event_ms = in.ms();
  out.awaits_kill = in.flag();
  out.stated.made_ms = in.ms();
  out.stated.p = in.real();
  if (in.flag()) {
    predict::Life life;
    life.horizon_ms = in.ms();
    life.known_ms = in.ms();
    life.quiet_ms = in.ms();
    life.ended_ms = in.ms();
    life.is_gone = in.flag();
    life.has_acted = in.flag();
    out.life = life;
  }
  for (auto* clock : {&out.slow_, &out.fast_}) {
    clock->step = in.ms();
    clock->errors = in.real();
    clock->others = in.real();
    clock->errors_of_step = in.real();
    if (!clock->decode(in.text(predict::ExhaustionForecaster::kMaxStateBytes))) return damaged;
  }
  if (!in.is_whole() || !is_usable(out.newest_)) return damaged;
  if (out.has_date()) out.step(clocks);
  return out;
}

}  // namespace observeai::controlplane::outlook
