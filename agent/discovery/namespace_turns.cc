#include "agent/discovery/namespace_turns.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace observeai::agent {

namespace {

using std::chrono::nanoseconds;

nanoseconds filled(nanoseconds left, nanoseconds passed, double share, nanoseconds most) {
  // A long sleep of the machine must not overflow: more than `most` is never needed.
  constexpr nanoseconds kLongest = std::chrono::hours(24);
  const double earned = static_cast<double>(std::min(passed, kLongest).count()) * share;
  return std::min(most, left + nanoseconds(static_cast<nanoseconds::rep>(earned)));
}

}  // namespace

bool NamespaceTurns::is_fresh(std::uint64_t inode) const {
  const auto known = known_.find(inode);
  return known == known_.end() || known->second.reads < kFreshReads;
}

std::vector<std::size_t> NamespaceTurns::due(const std::vector<Look>& looks, SteadyTime now) {
  if (filled_at_ != SteadyTime{}) {
    fresh_ = filled(fresh_, now - filled_at_, kFreshShare, kFreshSaved);
    steady_ = filled(steady_, now - filled_at_, kSteadyShare, kSteadySaved);
  }
  filled_at_ = now;
  std::set<std::uint64_t> present;
  for (const auto& look : looks) present.insert(look.inode);
  std::erase_if(known_, [&](const auto& item) { return !present.contains(item.first); });

  // Never read, then changed, then only old; among equals the one that has waited longest.
  std::vector<std::tuple<int, SteadyTime, std::size_t>> order;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    const auto known = known_.find(looks[i].inode);
    if (known == known_.end()) {
      order.emplace_back(0, SteadyTime{}, i);
    } else if (known->second.look != looks[i]) {
      order.emplace_back(1, known->second.read_at, i);
    } else if (now - known->second.read_at >= kReadAnyway) {
      order.emplace_back(2, known->second.read_at, i);
    }
  }
  std::sort(order.begin(), order.end());
  std::vector<std::size_t> out;
  out.reserve(order.size());
  for (const auto& item : order) out.push_back(std::get<2>(item));
  return out;
}

bool NamespaceTurns::admits(const Look& look) const {
  return (is_fresh(look.inode) ? fresh_ : steady_) > nanoseconds::zero();
}

void NamespaceTurns::was_read(const Look& look, SteadyTime now, nanoseconds cost) {
  (is_fresh(look.inode) ? fresh_ : steady_) -= cost;
  auto& known = known_[look.inode];
  known.look = look;
  known.read_at = now;
  if (known.reads < kFreshReads) ++known.reads;
}

}  // namespace observeai::agent
