#include "controlplane/predict/host_samples.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace observeai::predict {
namespace {

auto key(const Sample* sample) {
  return std::tie(sample->target, sample->name);
}

}  // namespace

std::optional<Value> usable(const Sample& sample) {
  if (!std::isfinite(sample.value) || sample.value < 0) return std::nullopt;
  return Value{sample.value, sample.ts_ms};
}

std::string_view label(const Sample& sample, std::string_view name) {
  const auto found = std::ranges::find(sample.labels, name, &wire::Label::name);
  return found == sample.labels.end() ? std::string_view{} : std::string_view(found->value);
}

HostSamples::HostSamples(std::span<const Sample> samples) {
  sorted_.reserve(samples.size());
  for (const Sample& sample : samples) sorted_.push_back(&sample);
  // Not std::ranges::stable_sort: clang 14 cannot read libstdc++'s.
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const Sample* a, const Sample* b) { return key(a) < key(b); });
}

std::span<const Sample* const> HostSamples::all(std::string_view target,
                                                std::string_view name) const {
  const auto wanted = std::tie(target, name);
  const auto begin = std::partition_point(sorted_.begin(), sorted_.end(),
                                          [&](const Sample* one) { return key(one) < wanted; });
  const auto end = std::partition_point(begin, sorted_.end(),
                                        [&](const Sample* one) { return key(one) == wanted; });
  return {begin, end};
}

std::optional<Value> HostSamples::one(std::string_view target, std::string_view name) const {
  for (const Sample* sample : all(target, name)) {
    if (sample->labels.empty()) return usable(*sample);
  }
  return std::nullopt;
}

std::optional<double> HostSamples::one_at(std::int64_t ts_ms, std::string_view target,
                                          std::string_view name) const {
  const auto found = one(target, name);
  if (!found || found->ts_ms != ts_ms) return std::nullopt;
  return found->value;
}

std::vector<std::string_view> HostSamples::targets(std::string_view prefix) const {
  std::vector<std::string_view> out;
  for (const Sample* sample : sorted_) {
    if (sample->target.starts_with(prefix) && (out.empty() || out.back() != sample->target)) {
      out.push_back(sample->target);
    }
  }
  return out;
}

}  // namespace observeai::predict
