// One resource on two clocks: what its forecasters know, and how far the prediction of it has come. Not
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "controlplane/predict/accuracy.h"
#include "controlplane/predict/exhaustion.h"
#include "controlplane/predict/hazard.h"
#include "controlplane/predict/resources.h"
#include "controlplane/predict/verdict.h"

namespace observeai::controlplane::outlook {

struct Clocks {
  std::int64_t slow_ms = 60'000;
  std::int64_t fast_ms = 10'000;
};
inline std::int64_t horizon_of(std::int64_t step_ms) {
  return step_ms * predict::kHorizonSteps;
}

// So long before its end a certificate should be renewed: its date is known, no forecast is needed.
inline constexpr std::int64_t kCertificateNoticeMs = 14LL * 86'400'000;

// used >= limit, but for the rounding of counters that are read one after the other.
inline constexpr double kExhausted = 0.999;
// A limit that is told a little greater is rounding.
inline constexpr double kRaised = 1.01;
// Below it what was exhausted can be so anew.
inline constexpr double kRelieved = 0.95;

class Followed {
 public:
  struct News {
    bool is_new = false;        // The reading is newer than those before
    bool has_stepped = false;   // A clock has taken a step
    bool is_replaced = false;   // A new regime began
    bool is_exhausted = false;  // It became so, as far as was seen
    bool is_raised = false;     // Somebody gave the same thing a greater limit
  };

  Followed(const predict::Reading& first, const Clocks& clocks);

  // Readings that are not newer than those before are ignored.
  News observe(const predict::Reading& reading, const Clocks& clocks);

  const predict::Reading& newest() const { return newest_; }
  // What people are shown of it: of kErrors error lines per minute, without a limit.
  predict::Reading shown() const;
  const predict::Forecast& slow() const { return has_date() ? date_ : slow_.newest(); }
  const predict::Forecast& fast() const { return fast_.newest(); }
  bool has_date() const { return newest_.kind == predict::Kind::kCertificate; }
  bool has_limit() const { return newest_.kind != predict::Kind::kErrors; }
  bool has_alarm() const { return slow().alarm || fast().alarm; }
  bool is_exhausted() const { return is_exhausted_; }
  // How much of the limit was used at about this time: readings of what began anew may be told before an
  // event that came before them. 0: there is no limit.
  double share_at(std::int64_t ts_ms) const;

  // Of the open prediction; empty: none is open.
  std::optional<predict::Life> life;
  predict::StatedProbability stated;
  std::int64_t last_event_ms = 0;  // What is foretold right after it would be the same again
  // That it is exhausted was told, and it still is: a kill is the same event, once.
  bool awaits_kill = false;

  // All of it. The clocks are part of it: steps of another length are other steps.
  std::string encode(const Clocks& clocks) const;
  // kCorrupt: damaged, of another version or other clocks. Kind, target and instance come from outside.
  static Result<Followed> decode(std::string_view bytes, const predict::Reading& name,
                                 const Clocks& clocks);

 private:
  struct OnClock {
    std::variant<predict::ExhaustionForecaster, predict::HazardForecaster> forecaster;
    std::int64_t step = -1;
    // Of kErrors: lines counted up to the step, and how many errors the step before it had.
    double errors = 0;
    double others = 0;
    double errors_of_step = 0;
    const predict::Forecast& newest() const;
    bool take(std::int64_t now, const predict::Reading& reading);
    void begin_regime(std::int64_t now);
    void rescale(double factor);
    std::string encode() const;
    bool decode(std::string_view bytes);
  };

  static bool is_usable(const predict::Reading& reading);
  bool step(const Clocks& clocks);
  bool is_full() const;

  predict::Reading newest_;
  double slow_ms_ = 0;
  predict::Forecast date_;  // Of what ends at a known date
  OnClock slow_;
  OnClock fast_;
  bool is_exhausted_ = false;
  // The newest reading before it began anew, and the first one after.
  double share_before_ = 0;
  std::int64_t replaced_ms_ = 0;
};

}  // namespace observeai::controlplane::outlook
