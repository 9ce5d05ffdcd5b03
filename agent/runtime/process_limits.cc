#include "agent/runtime/process_limits.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

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

namespace {

// Segments that nobody may write to, nor the loader has: their pages are those of the file.
int give_back_object(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // Refused for what is no mapping of a file (the vdso), which does no harm.
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_back_unused_code() {
  ::dl_iterate_phdr(give_back_object, nullptr);
}

void keep_one_heap() {
#ifdef __GLIBC__
  // A commit of logs takes and frees a few MiB, up to 12 times a second: each page that goes back to
  // the kernel between two of them costs a fault. give_back_free_memory() takes care of the rest.
  constexpr int kTrimAt = 8 << 20;
  constexpr int kOwnMappingFrom = 8 << 20;  // glibc's 128 KiB: every buffer a mapping of its own
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, kTrimAt);
  ::mallopt(M_MMAP_THRESHOLD, kOwnMappingFrom);
#endif
}

void give_back_free_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace observeai::agent
