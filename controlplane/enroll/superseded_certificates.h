// Which certificates were replaced by renewal before they expired. The registry knows an agent's
// current certificate only; revoking an agent must put these on the list as well.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

struct SupersededCertificate {
  std::string serial;  // Hex
  AgentId agent;
  std::int64_t not_after_ms = 0;
};

// A text file, one line "<serial> <agent> <not after, ms>" each. Opening drops what has expired; a
// line that was cut by a crash belongs to a renewal that was never answered and is dropped too.
// Thread-safe.
class SupersededCertificates {
 public:
  static Result<std::unique_ptr<SupersededCertificates>> open(std::string path,
                                                              std::int64_t now_ms);

  Result<void> add(const SupersededCertificate& certificate);  // Durable on return
  std::vector<SupersededCertificate> unexpired(std::int64_t now_ms);

 private:
  SupersededCertificates(std::string path, std::vector<SupersededCertificate> entries)
      : path_(std::move(path)), entries_(std::move(entries)) {}

  const std::string path_;
  Mutex mutex_;
  std::vector<SupersededCertificate> entries_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
