#include "agent/journal/mapped_file_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>

#include "protocol/base/check.h"

namespace observeai::agent {
namespace {

// Read and written by the thread that faults only.
thread_local volatile sig_atomic_t t_guarded = 0;
thread_local volatile sig_atomic_t t_hits = 0;
struct sigaction g_before {};
std::uintptr_t g_page_bytes = 0;

void on_sigbus(int, siginfo_t* info, void*) {
  // BUS_ADRERR: there is no file behind the page.
  if (t_guarded != 0 && info->si_code == BUS_ADRERR) {
    const auto page = reinterpret_cast<std::uintptr_t>(info->si_addr) & ~(g_page_bytes - 1);
    void* const mapped = ::mmap(reinterpret_cast<void*>(page), g_page_bytes, PROT_READ,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (mapped != MAP_FAILED) {
      t_hits = t_hits + 1;
      return;
    }
  }
  // The instruction faults again, and whoever handled the signal before sees it.
  ::sigaction(SIGBUS, &g_before, nullptr);
}

void install() {
  g_page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &g_before);
}

}  // namespace

MappedFileGuard::MappedFileGuard() {
  static std::once_flag installed;
  std::call_once(installed, install);
  CHECK(t_guarded == 0);
  t_hits = 0;
  t_guarded = 1;
}

MappedFileGuard::~MappedFileGuard() {
  t_guarded = 0;
}

std::uint32_t MappedFileGuard::hits() const {
  return static_cast<std::uint32_t>(t_hits);
}

}  // namespace observeai::agent
