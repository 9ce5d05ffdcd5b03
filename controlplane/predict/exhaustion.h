// When will this resource be exhausted? One object follows one resource on one clock (docs/adr/0014).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/predict/forecast.h"
#include "protocol/base/result.h"

namespace observeai::predict {

// Not thread-safe; no allocation after construction; at most kMaxStateBytes in all, also encoded.
// Deterministic: the same observations give the same forecasts, whether or not the state was encoded and
// decoded in between.
class ExhaustionForecaster {
 public:
  static constexpr std::size_t kMaxStateBytes = 1'024;  // Two clocks for each resource: 2 KiB

  ExhaustionForecaster();
  ExhaustionForecaster(ExhaustionForecaster&&) noexcept;
  ExhaustionForecaster& operator=(ExhaustionForecaster&&) noexcept;
  ~ExhaustionForecaster();

  // `step` must grow from call to call (others are ignored and answered with the newest forecast); what
  // is left out counts as not known. `used` = used / limit: 0 = empty, 1 = exhausted; may exceed 1;
  // NaN = not known.
  Forecast observe(std::int64_t step, double used);

  // The newest forecast; a default one before the first observation.
  const Forecast& newest() const;

  // What is measured is another thing from here on (restart, new container, reboot): nothing before it counts
  // for the trend; what this series usually does is kept.
  void begin_regime(std::int64_t step);

  // The limit is now `factor` times what it was: what was observed is read as fractions of the new one.
  void rescale(double factor);

  std::string encode() const;
  // kInvalid: not of this version, damaged.
  static Result<ExhaustionForecaster> decode(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace observeai::predict
