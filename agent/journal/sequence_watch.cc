#include "agent/journal/sequence_watch.h"

#include <algorithm>

namespace observeai::agent {
namespace {

SequenceLoss loss_of(const SequenceHole& hole) {
  return {hole.last - hole.first + 1, hole.seen_us};
}

}  // namespace

bool SequenceWatch::saw(const JournalCursor& entry) {
  for (auto& hole : state_.holes) ++hole.entries_since;
  auto& chains = state_.chains;
  const auto known = std::find_if(chains.begin(), chains.end(),
                                  [&](const auto& chain) { return chain.id == entry.chain; });
  const std::uint64_t number = entry.number;
  bool found_hole = false;
  if (known == chains.end()) {
    if (chains.size() == kMaxChains) chains.erase(chains.begin());
    chains.push_back({entry.chain, number});
    if (number > state_.highest || !fill(number)) state_.highest = number;
    return false;
  }
  if (number > state_.highest) {
    const std::uint64_t expected = std::max(state_.highest, known->last) + 1;
    if (number > expected) {
      state_.holes.push_back({expected, number - 1, entry.realtime_us, 0});
      found_hole = true;
    }
    state_.highest = number;
  } else {
    fill(number);
  }
  bound_holes();
  known->last = std::max(known->last, number);
  std::rotate(known, known + 1, chains.end());
  return found_hole;
}

// True: `number` was missing.
bool SequenceWatch::fill(std::uint64_t number) {
  auto& holes = state_.holes;
  const auto hole = std::find_if(holes.begin(), holes.end(), [&](const auto& one) {
    return one.first <= number && number <= one.last;
  });
  if (hole == holes.end()) return false;
  if (hole->first == hole->last) {
    holes.erase(hole);
  } else if (number == hole->first) {
    ++hole->first;
  } else if (number == hole->last) {
    --hole->last;
  } else {
    const SequenceHole rest{number + 1, hole->last, hole->seen_us, hole->entries_since};
    hole->last = number - 1;
    holes.insert(hole + 1, rest);
  }
  return true;
}

void SequenceWatch::bound_holes() {
  while (state_.holes.size() > kMaxHoles) {
    given_up_.push_back(loss_of(state_.holes.front()));
    state_.holes.erase(state_.holes.begin());
  }
}

std::vector<SequenceLoss> SequenceWatch::take_losses(bool at_end) {
  auto losses = std::move(given_up_);
  given_up_.clear();
  for (const auto& hole : state_.holes) {
    if (at_end || hole.entries_since >= kSettleAfter) losses.push_back(loss_of(hole));
  }
  std::erase_if(state_.holes, [at_end](const auto& hole) {
    return at_end || hole.entries_since >= kSettleAfter;
  });
  return losses;
}

bool SequenceWatch::knows(const std::string& chain) const {
  return std::any_of(state_.chains.begin(), state_.chains.end(),
                     [&](const auto& one) { return one.id == chain; });
}

}  // namespace observeai::agent
