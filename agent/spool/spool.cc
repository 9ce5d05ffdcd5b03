// Everything but committing (commit.cc) and opening (recover.cc).
#include "agent/spool/spool.h"

#include <algorithm>
#include <utility>

#include "agent/spool/segmented_spool.h"
#include "agent/spool/state_values.h"
#include "protocol/base/log.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kControl = 0;
constexpr std::size_t kMetrics = 1;
constexpr std::size_t kLogs = 2;
// A newest segment that is acknowledged is ended when it has this share of its length; when the disk
// is full every page counts.
constexpr std::uint64_t kWorthShare = 4;
constexpr std::uint64_t kWorthWhenFull = 64U << 10;
// Bounds what is stored twice when the newest segment of lane 2 is lost. A copy costs half a millisecond
// for twenty changed rows: with many of them it comes less often, and stays below a quarter per cent.
constexpr std::chrono::milliseconds kCopyEvery{2'000};
constexpr std::chrono::milliseconds kCopyEveryPerRow{10};
// A segment that is given up has room for those of a new epoch; a second one for what others took of it.
constexpr int kEvictionsForEpoch = 2;

}  // namespace

SegmentedSpool::SegmentedSpool(sql::DirectoryLock lock, std::unique_ptr<SpoolContext> context,
                               OnDamage on_damage)
    : lock_(std::move(lock)),
      context_(std::move(context)),
      on_damage_(std::move(on_damage)),
      chains_{Chain(*context_, 0), Chain(*context_, 1), Chain(*context_, 2), Chain(*context_, 3)} {}

SegmentedSpool::~SegmentedSpool() {
  if (!context_->manifest) return;
  next_copy_.reset();
  copy_not_before_.reset();
  copy_checkpoints();
  auto content = context_->manifest->content();
  const auto before = content.acked;
  for (std::size_t lane = 0; lane < chains_.size(); ++lane)
    content.acked[lane] = chains_[lane].oldest_seq() - 1;
  if (content.acked != before)
    ignore(context_->write_manifest(content), "the control plane tells it again");
}

Error SegmentedSpool::translated(Error error) {
  switch (error.code()) {
    case Errc::kLimit:
      full_ = true;
      return std::move(error).with_context("spool is full");
    case Errc::kInvalid:
    case Errc::kInternal:
      return error;
    case Errc::kCorrupt:
      if (const auto tell = std::exchange(on_damage_, nullptr)) tell(error);
      return error;
    default:
      return Error(Errc::kUnavailable, error.message());
  }
}

void SegmentedSpool::refresh() {
  state_.epoch = context_->epoch();
  state_.bytes = 0;
  state_.disk_bytes = context_->ballast_bytes() + old_bytes_;
  for (std::size_t lane = 0; lane < chains_.size(); ++lane) {
    state_.next_seq[lane] = chains_[lane].next_seq();
    state_.oldest_seq[lane] = chains_[lane].oldest_seq();
    state_.bytes += chains_[lane].pending_bytes();
    state_.disk_bytes += chains_[lane].disk_bytes();
  }
  state_.next_seq[kControl] = next_control_seq();
}

std::uint64_t SegmentedSpool::next_control_seq() const {
  return carried_.empty() ? chains_[kControl].next_seq() : carried_.back().seq + 1;
}

Result<std::vector<wire::Batch>> SegmentedSpool::read(wire::Lane lane, std::uint64_t after,
                                                      std::size_t max_count,
                                                      std::size_t max_bytes) {
  std::vector<wire::Batch> batches;
  auto done = chains_[static_cast<std::size_t>(lane)].read(after, max_count, max_bytes, batches);
  if (!done) return translated(std::move(done).error());
  return batches;
}

std::vector<SourceCount> SegmentedSpool::counts_of(wire::Lane lane, std::uint64_t seq) {
  return chains_[static_cast<std::size_t>(lane)].counts_of(seq);
}

Result<void> SegmentedSpool::acknowledge(
    const std::array<std::uint64_t, wire::kLaneCount>& contiguous) {
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    if (contiguous[lane] < state_.next_seq[lane]) continue;
    // Deleting would lose what is here under numbers that the control plane has with other content.
    return Error(Errc::kInvalid, "batch " + std::to_string(contiguous[lane]) + " of lane " +
                                     std::to_string(lane) + " was acknowledged, only " +
                                     std::to_string(state_.next_seq[lane] - 1) +
                                     " were written: this spool is an old copy");
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane)
    chains_[lane].acknowledge(contiguous[lane]);
  copy_checkpoints();
  release();
  refresh();
  return {};
}

// Should the newest segment of lane 2 be lost, reading goes on at the copy: behind it nothing had been
// acknowledged, before it everything, but for what was acknowledged since the copy was written.
void SegmentedSpool::copy_checkpoints() {
  if (!chains_[kLogs].begun() || !chains_[kControl].begun()) return;
  const SteadyTime now = context_->clock.steady_now();
  if (!next_copy_) {
    if (copy_not_before_ && now < *copy_not_before_) return;
    next_copy_ = CheckpointCopy::of(chains_[kLogs].state(), chains_[kLogs].next_seq() - 1);
  }
  if (next_copy_->seq >= static_cast<std::int64_t>(chains_[kLogs].oldest_seq())) return;
  const auto write = next_copy_->changes_to(chains_[kControl].state(), context_->epoch());
  next_copy_.reset();
  copy_not_before_ = now + kCopyEvery + kCopyEveryPerRow * write.changes.size();
  if (!write.changes.empty()) ignore(chains_[kControl].write(write), "another one follows");
}

// What cannot be removed now is tried again with the next acknowledgement.
void SegmentedSpool::release() {
  context_->remove_pending();
  const std::uint64_t worth = full_ ? kWorthWhenFull : context_->segment_bytes / kWorthShare;
  for (auto& chain : chains_) {
    ignore(chain.release(chains_[kControl].next_seq(), worth), "tried again");
  }
  release_old_layout();
  context_->restore_ballast();
}

void SegmentedSpool::release_old_layout() {
  for (const auto& chain : chains_) {
    for (const auto& info : chain.segments()) {
      if (info.number == 0) return;
    }
  }
  if (!old_) return;
  const std::string path = OldSpool::path_in(context_->directory);
  context_->close_reader(path);
  if (!remove_segment(path)) return;
  old_.reset();
  old_bytes_ = 0;
}

// ---- a new epoch -------------------------------------------------------------------------------

Result<void> SegmentedSpool::begin_epoch() {
  auto begun = start_epoch();
  refresh();
  if (!begun) return translated(std::move(begun).error());
  return {};
}

// A full disk may have no room for the new segments: what may be given up makes some.
Result<void> SegmentedSpool::start_epoch() {
  for (int evictions = 0;; ++evictions) {
    auto begun = try_epoch();
    // Closed at once: their names are given to other segments next.
    for (auto& chain : chains_) chain.drop_prepared();
    if (begun || begun.error().code() != Errc::kLimit || evictions == kEvictionsForEpoch)
      return begun;
    const auto evicted = evict_for(kControl);
    if (!evicted || !*evicted) return begun;
  }
}

// Those by which the numbers of a segment, or of the copied checkpoints, are found.
std::vector<Fork> SegmentedSpool::forks_in_use() const {
  const auto is_used = [&](const Fork& fork) {
    if (CheckpointCopy::is_of(fork.parent, chains_[kControl].state())) return true;
    return std::any_of(chains_.begin(), chains_.end(), [&](const Chain& chain) {
      const auto& segments = chain.segments();
      return std::any_of(segments.begin(), segments.end(),
                         [&](const SegmentInfo& info) { return info.epoch == fork.parent; });
    });
  };
  const auto& forks = context_->forks;
  // A file that is still to be removed is found once more after a crash.
  if (context_->has_pending_removals()) return forks;
  return {std::find_if(forks.begin(), forks.end(), is_used), forks.end()};
}

// Every chain makes its segment for the new epoch; the manifest takes them all into use at once.
Result<void> SegmentedSpool::try_epoch() {
  TRY_VOID(context_->settle_manifest());
  TRY_VOID(drain_carried());
  TRY(const Epoch epoch, random_epoch());
  Fork fork;
  fork.parent = context_->epoch();
  for (std::size_t lane = 0; lane < chains_.size(); ++lane)
    fork.base[lane] = chains_[lane].oldest_seq();
  auto forks = forks_in_use();
  forks.push_back(fork);
  auto content = context_->manifest->content();
  content.epoch = epoch;
  content.acked = {};
  for (std::size_t lane = 0; lane < chains_.size(); ++lane) {
    if (!chains_[lane].begun() && content.newest[lane] == 0 && lane != kControl) continue;
    TRY_VOID(chains_[lane].prepare_epoch(epoch, forks));
    content.newest[lane] = chains_[lane].prepared_number();
  }
  TRY_VOID(context_->write_manifest(content));
  context_->forks = std::move(forks);
  next_copy_.reset();
  for (auto& chain : chains_) {
    chain.enter_epoch();
  }
  ++context_->counters.epochs_begun;
  context_->note("spool.epoch", wire::Severity::kWarning,
                 "a new epoch of the spool began; what is pending moved to it");
  release();
  return {};
}

// ---- state -------------------------------------------------------------------------------------

Result<std::vector<SourceCheckpoint>> SegmentedSpool::checkpoints() {
  std::vector<SourceCheckpoint> out;
  for (const auto& [key, value] : chains_[kLogs].state()) {
    if (key.first == StateKind::kCheckpoint) out.push_back({key.second, value});
  }
  return out;
}

Result<std::vector<wire::LedgerEntry>> SegmentedSpool::ledger() {
  std::vector<wire::LedgerEntry> out;
  for (const auto& chain : chains_) {
    for (const auto& [key, value] : chain.state()) {
      if (key.first != StateKind::kLedger) continue;
      TRY(auto entry, unpack_ledger(key.second, value));
      out.push_back(std::move(entry));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::pair(std::string_view(a.source), a.lane) <
           std::pair(std::string_view(b.source), b.lane);
  });
  return out;
}

Result<std::vector<wire::SeriesDefinition>> SegmentedSpool::series() {
  auto all = chains_[kMetrics].series();
  if (!all) return translated(std::move(all).error());
  return all;
}

std::uint32_t SegmentedSpool::next_series_id() const {
  return chains_[kMetrics].next_series_id();
}

Result<void> SegmentedSpool::forget_series(const std::vector<std::uint32_t>& ids) {
  if (ids.empty()) return {};
  ChainWrite write;
  for (const auto id : ids) write.changes.push_back({series_key(id), std::nullopt});
  auto written = chains_[kMetrics].write(write);
  refresh();
  if (!written) return translated(std::move(written).error());
  return {};
}

Result<std::optional<std::string>> SegmentedSpool::fact(const std::string& name) {
  const auto& facts = chains_[kControl].state();
  const auto found = facts.find(fact_key(name));
  return found == facts.end() ? std::optional<std::string>() : found->second;
}

Result<void> SegmentedSpool::set_fact(const std::string& name, const std::string& value) {
  ChainWrite write;
  write.changes.push_back({fact_key(name), value});
  auto written = chains_[kControl].write(write);
  refresh();
  if (!written) return translated(std::move(written).error());
  return {};
}

std::vector<SpoolNotice> SegmentedSpool::take_notices() {
  return std::exchange(context_->notices, {});
}

}  // namespace observeai::agent
