// Token buckets by key: how often one source may try.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

struct Rate {
  double per_second = 10;
  double burst = 50;
};

// Thread-safe. Keeps at most kMaxKeys buckets; when a flood of keys fills it, new keys share one
// bucket until old ones have refilled.
class RateLimiter {
 public:
  static constexpr std::size_t kMaxKeys = 10'000;

  RateLimiter(Rate rate, const Clock& clock) : rate_(rate), clock_(clock) {}

  // Nothing when allowed (and counted), else how long to wait.
  std::optional<std::chrono::milliseconds> try_take(const std::string& key);

 private:
  struct Bucket {
    double tokens = 0;
    SteadyTime updated;
  };
  Bucket& bucket_of(const std::string& key, SteadyTime now) REQUIRES(mutex_);
  double filled(const Bucket& bucket, SteadyTime now) const;

  const Rate rate_;
  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
