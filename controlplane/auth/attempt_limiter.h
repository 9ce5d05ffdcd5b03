// Counts failed attempts for each source, so that guessing is slow and the audit log stays
// readable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

// "2001:db8:1:2::5" -> "2001:db8:1:2::/64": one host may own a whole /64. IPv4 (also mapped) as is.
std::string source_of(std::string_view remote_ip);

// Thread-safe.
class AttemptLimiter {
 public:
  static constexpr std::uint32_t kFailuresAllowed = 10;  // In one window
  static constexpr std::chrono::seconds kWindow{60};
  // Past this the source whose window is oldest is forgotten: memory stays bounded under a flood.
  static constexpr std::size_t kMaxSources = 4096;

  explicit AttemptLimiter(const Clock& clock) : clock_(clock) {}

  bool blocked(const std::string& source);
  // True when this failure is the one that blocks the source.
  bool failed(const std::string& source);

 private:
  struct Window {
    SteadyTime start;
    std::uint32_t failures = 0;
  };
  bool is_over(const Window& window) const { return clock_.steady_now() - window.start >= kWindow; }
  void make_room() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<std::string, Window> sources_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
