// How often the agent ended itself to be started anew, kept in a file beside its identity, so that it
// cannot do so for ever: osquery's watchdog and its respawn loops are the warning.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent {

struct Restart {
  std::int64_t at_ms = 0;  // Wall time
  std::string reason;      // One line
  bool operator==(const Restart&) const = default;
};

// Pure. A restart that the clock says is in the future (it was set back) counts as recent, until
// bring_back() has given it a time that passes.
class RestartHistory {
 public:
  static constexpr std::size_t kMaxPerHour = 3;
  static constexpr std::size_t kKept = 16;
  static constexpr std::size_t kMaxReasonBytes = 300;

  // Lines "<unix ms> <reason>\n". Lines of another form are left out: the file is foreign bytes.
  static RestartHistory parse(std::string_view text);
  std::string text() const;

  void add(Restart restart);
  // The clock was ahead when a restart was written down, by more than an hour: it counts as one of now,
  // or it would be recent for as long as the clock was ahead. True: something changed.
  bool bring_back(std::int64_t now_ms);
  std::size_t in_last_hour(std::int64_t now_ms) const;
  bool may_restart(std::int64_t now_ms) const { return in_last_hour(now_ms) < kMaxPerHour; }
  const std::vector<Restart>& all() const { return restarts_; }  // Oldest first

 private:
  std::vector<Restart> restarts_;
};

// Empty when there is no such file. kUnavailable: cannot be read.
Result<RestartHistory> load_restarts(const std::string& path);
// Atomically and flushed. Any thread.
Result<void> store_restarts(const std::string& path, const RestartHistory& history);

}  // namespace observeai::agent
