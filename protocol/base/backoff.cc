#include "protocol/base/backoff.h"

#include <algorithm>

namespace observeai {

std::chrono::milliseconds Backoff::next(std::uint64_t random) {
  const auto half = static_cast<std::uint64_t>(ceiling_.count()) / 2;
  const std::chrono::milliseconds wait(static_cast<std::int64_t>(half + random % (half + 1)));
  ceiling_ = std::min(ceiling_ * 2, most_);
  return wait;
}

std::chrono::milliseconds Backoff::next_anywhere(std::uint64_t random) {
  const auto range = static_cast<std::uint64_t>(ceiling_.count()) + 1;
  const std::chrono::milliseconds wait(static_cast<std::int64_t>(random % range));
  ceiling_ = std::min(ceiling_ * 2, most_);
  return wait;
}

}  // namespace observeai
