#include "agent/runtime/process_limits.h"

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

}  // namespace observeai::agent
