#include "controlplane/enroll/rate_limiter.h"

#include <cmath>

namespace observeai::controlplane {

namespace {
// No address and no token id is spelled so.
constexpr const char* kOverflowKey = "*";
}  // namespace

double RateLimiter::filled(const Bucket& bucket, SteadyTime now) const {
  const std::chrono::duration<double> passed = now - bucket.updated;
  return std::min(rate_.burst, bucket.tokens + passed.count() * rate_.per_second);
}

RateLimiter::Bucket& RateLimiter::bucket_of(const std::string& key, SteadyTime now) {
  if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second;
  if (buckets_.size() >= kMaxKeys) {
    // A full bucket says nothing that a new one would not.
    std::erase_if(buckets_,
                  [&](const auto& entry) { return filled(entry.second, now) >= rate_.burst; });
  }
  const auto& place = buckets_.size() >= kMaxKeys ? kOverflowKey : key;
  return buckets_.emplace(place, Bucket{rate_.burst, now}).first->second;
}

std::optional<std::chrono::milliseconds> RateLimiter::try_take(const std::string& key) {
  const auto now = clock_.steady_now();
  MutexLock lock(mutex_);
  auto& bucket = bucket_of(key, now);
  bucket.tokens = filled(bucket, now);
  bucket.updated = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return std::nullopt;
  }
  const double seconds = (1 - bucket.tokens) / rate_.per_second;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

}  // namespace observeai::controlplane
