#include "controlplane/outlook/service.h"

#include <algorithm>

namespace observeai::controlplane::outlook {
namespace {

// Twice in a step, so that every step of the fast clock is seen.
constexpr std::int64_t kLooksPerStep = 2;
constexpr std::int64_t kShortestPauseMs = 250;

}  // namespace

OutlookService::OutlookService(World world, const Clocks& clocks)
    : outlook_(world, clocks),
      pause_(std::max(kShortestPauseMs, clocks.fast_ms / kLooksPerStep)),
      thread_([this] { run(); }) {}

OutlookService::~OutlookService() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
  outlook_.save_all();
}

void OutlookService::committed(const model::Committed& committed) {
  if (committed.samples != nullptr) outlook_.committed(committed.agent);
}

void OutlookService::run() {
  for (;;) {
    outlook_.look();
    MutexLock lock(mutex_);
    if (stopping_) return;
    changed_.wait_for(mutex_, pause_);
    if (stopping_) return;
  }
}

}  // namespace observeai::controlplane::outlook
