#include "agent/runtime/process_limits.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace observeai::agent {

Result<std::uint64_t> raise_open_files(std::uint64_t wanted) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return Error(Errc::kInternal, std::string("getrlimit: ") + std::strerror(errno));
  const rlim_t best = std::min<rlim_t>(wanted, limit.rlim_max);
  if (limit.rlim_cur >= best) return limit.rlim_cur;
  limit.rlim_cur = best;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return Error(Errc::kDenied, std::string("setrlimit: ") + std::strerror(errno));
  return best;
}

void keep_one_heap() {
#ifdef __GLIBC__
  constexpr int kTrimAt = 256 << 10;
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, kTrimAt);
#endif
}

void give_back_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace observeai::agent
