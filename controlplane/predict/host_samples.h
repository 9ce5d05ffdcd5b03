// The newest samples of one host, to be asked by target and name. For resources.cc.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "controlplane/predict/resources.h"

namespace observeai::predict {

struct Value {
  double value = 0;  // Finite and not negative
  std::int64_t ts_ms = 0;
};

// Borrows what it is given.
class HostSamples {
 public:
  explicit HostSamples(std::span<const Sample> samples);

  // Every sample of that metric of that target; usable or not.
  std::span<const Sample* const> all(std::string_view target, std::string_view name) const;
  // The metric without labels; nullopt: missing, ended, no number, negative.
  std::optional<Value> one(std::string_view target, std::string_view name) const;
  // Only when it was read at that time.
  std::optional<double> one_at(std::int64_t ts_ms, std::string_view target,
                               std::string_view name) const;
  // Those that begin with `prefix`, ascending, each once.
  std::vector<std::string_view> targets(std::string_view prefix) const;

 private:
  std::vector<const Sample*> sorted_;  // By target, name
};

std::optional<Value> usable(const Sample& sample);
// "" when it is not there.
std::string_view label(const Sample& sample, std::string_view name);

}  // namespace observeai::predict
