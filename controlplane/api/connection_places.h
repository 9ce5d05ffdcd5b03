// How many connections there may be, in all and from one source. Internal to controlplane/api.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "controlplane/auth/attempt_limiter.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::api {

// Thread-safe. A source is an IPv4 address or an IPv6 /64, which one host may own whole.
class ConnectionPlaces {
 public:
  ConnectionPlaces(std::size_t most, std::size_t most_of_source)
      : most_(most), most_of_source_(most_of_source) {}

  bool take(std::string_view remote_ip) {
    const std::string source = source_of(remote_ip);
    MutexLock lock(mutex_);
    const auto found = sources_.find(source);
    const std::size_t of_source = found == sources_.end() ? 0 : found->second;
    if (taken_ >= most_ || of_source >= most_of_source_) return false;
    ++taken_;
    ++sources_[source];
    return true;
  }
  void leave(std::string_view remote_ip) {
    MutexLock lock(mutex_);
    --taken_;
    const auto found = sources_.find(source_of(remote_ip));
    if (--found->second == 0) sources_.erase(found);
  }

 private:
  const std::size_t most_;
  const std::size_t most_of_source_;
  Mutex mutex_;
  std::size_t taken_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::size_t> sources_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::api
