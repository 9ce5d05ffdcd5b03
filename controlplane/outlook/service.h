// The thread around the outlook.
#pragma once

#include <thread>

#include "controlplane/outlook/outlook.h"

namespace observeai::controlplane::outlook {

class OutlookService {
 public:
  OutlookService(World world, const Clocks& clocks);
  ~OutlookService();  // Stops, joins, and saves what the forecasters know
  OutlookService(const OutlookService&) = delete;
  OutlookService& operator=(const OutlookService&) = delete;

  // Thread-safe, does not block: for the listener of commits.
  void committed(const model::Committed& committed);
  Outlook& outlook() { return outlook_; }

 private:
  void run() EXCLUDES(mutex_);

  Outlook outlook_;
  const std::chrono::milliseconds pause_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last
};

}  // namespace observeai::controlplane::outlook
