#include "controlplane/auth/attempt_limiter.h"

#include <arpa/inet.h>

namespace observeai::controlplane {

std::string source_of(std::string_view remote_ip) {
  const std::string text(remote_ip);
  in6_addr address{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    std::array<char, INET_ADDRSTRLEN> out{};
    ::inet_ntop(AF_INET, &address.s6_addr[12], out.data(), out.size());
    return out.data();
  }
  std::fill(address.s6_addr + 8, address.s6_addr + 16, 0);
  std::array<char, INET6_ADDRSTRLEN> out{};
  ::inet_ntop(AF_INET6, &address, out.data(), out.size());
  return std::string(out.data()) + "/64";
}

bool AttemptLimiter::blocked(const std::string& source) {
  MutexLock lock(mutex_);
  const auto found = sources_.find(source);
  if (found == sources_.end()) return false;
  if (is_over(found->second)) {
    sources_.erase(found);
    return false;
  }
  return found->second.failures >= kFailuresAllowed;
}

bool AttemptLimiter::failed(const std::string& source) {
  MutexLock lock(mutex_);
  if (!sources_.contains(source)) make_room();
  Window& window = sources_[source];
  if (window.failures == 0 || is_over(window)) window = {clock_.steady_now(), 0};
  ++window.failures;
  return window.failures == kFailuresAllowed;
}

void AttemptLimiter::make_room() {
  if (sources_.size() < kMaxSources) return;
  std::erase_if(sources_, [this](const auto& entry) { return is_over(entry.second); });
  if (sources_.size() < kMaxSources) return;
  sources_.erase(std::min_element(
      sources_.begin(), sources_.end(),
      [](const auto& a, const auto& b) { return a.second.start < b.second.start; }));
}

}  // namespace observeai::controlplane
