// Opening: what is there, what is damaged, what is missing.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "agent/spool/aside.h"
#include "agent/spool/lane_loader.h"
#include "agent/spool/segmented_spool.h"
#include "agent/spool/state_values.h"
#include "protocol/base/files.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kControl = 0;
constexpr std::size_t kMetrics = 1;
constexpr std::size_t kLogs = 2;
constexpr std::uint64_t kFirstSeriesReserve = 4096;

using Numbers = std::array<std::set<std::uint64_t>, wire::kLaneCount>;

// Segments in the folder. Logs whose database is gone are removed.
Numbers segments_in(const std::string& directory) {
  Numbers numbers;
  std::vector<std::string> orphans;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (const auto file = parse_segment_name(name)) numbers[file->lane].insert(file->number);
    if (!name.ends_with("-wal") || !parse_segment_name(name.substr(0, name.size() - 4))) continue;
    const std::string database = entry.path().string();
    if (!files::exists(database.substr(0, database.size() - 4))) orphans.push_back(database);
  }
  for (const auto& orphan : orphans) std::filesystem::remove(orphan, error);
  return numbers;
}

bool is_gone(const Error& error) {
  return error.code() == Errc::kCorrupt || error.code() == Errc::kNotFound;
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(const std::string& directory, const SpoolLimits& limits,
                                           const Clock& clock, OnDamage on_damage) {
  TRY_VOID(files::make_directories(directory, 0700));
  TRY(auto lock, sql::DirectoryLock::acquire(directory));
  auto context = std::make_unique<SpoolContext>(directory, limits, clock);
  auto spool =
      std::make_unique<SegmentedSpool>(std::move(lock), std::move(context), std::move(on_damage));
  auto recovered = spool->recover();
  if (!recovered) return std::move(recovered).error().with_context("open spool");
  return std::unique_ptr<Spool>(std::move(spool));
}

Result<void> SegmentedSpool::recover() {
  TRY_VOID(find_manifest());
  TRY_VOID(load_forks());
  TRY_VOID(find_old_layout());
  bool numbers_lost = false;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY(const bool loaded, load_lane(lane));
    if (!loaded) numbers_lost = true;
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY_VOID(migrate_lane(lane));
  }
  TRY_VOID(collect_carried());
  if (numbers_lost) {
    TRY_VOID(start_epoch());
  } else if (!chains_[kControl].begun()) {
    TRY_VOID(chains_[kControl].begin_next());
  }
  ignore(drain_carried(), "tried again with the next commit");
  context_->restore_ballast();
  refresh();
  return {};
}

// ---- what there is -----------------------------------------------------------------------------

Result<void> SegmentedSpool::find_manifest() {
  const std::string& directory = context_->directory;
  TRY(context_->manifest, Manifest::load(directory));
  if (context_->manifest) return {};
  ManifestContent content;
  content.series_reserved = kFirstSeriesReserve;
  std::optional<Epoch> epoch;
  std::set<Epoch> parents;
  const auto numbers = segments_in(directory);
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    for (const auto number : numbers[lane]) {
      auto segment = Segment::open(directory + "/" + segment_name(lane, number), context_->options);
      if (!segment && !is_gone(segment.error())) return std::move(segment).error();
      if (segment) segment->leave_log_on_close();
      const auto meta = segment ? segment->meta() : Error(Errc::kCorrupt, "");
      if (!meta) continue;
      content.newest[lane] = number;
      const auto state = segment->state();
      const auto forks = state ? state->rows.find(forks_key()) : StateRows::const_iterator();
      if (state && forks != state->rows.end()) {
        TRY(const auto list, unpack_forks(forks->second));
        for (const auto& fork : list) parents.insert(fork.parent);
      }
      if (const auto progress = segment->progress())
        content.series_reserved = std::max<std::uint64_t>(
            content.series_reserved, progress->next_series_id + kFirstSeriesReserve);
      if (!epoch || !parents.contains(meta->epoch)) epoch = meta->epoch;
    }
  }
  manifest_rebuilt_ = epoch.has_value();
  if (manifest_rebuilt_) {
    context_->note("spool.damaged", wire::Severity::kWarning,
                   "the manifest was missing or damaged and is made anew from the segments");
    content.epoch = *epoch;
  } else {
    TRY(content.epoch, random_epoch());
  }
  if (!manifest_rebuilt_ && files::exists(OldSpool::path_in(directory))) {
    auto old = context_->old_reader();
    const auto before = old ? (*old)->content() : Result<OldSpool::Content>(old.error());
    if (before) {
      content.epoch = before->epoch;
      content.series_reserved = before->next_series_id + kFirstSeriesReserve;
    } else if (!is_gone(before.error())) {
      return before.error();
    }
  }
  auto created = Manifest::create(directory, content);
  if (!created && created.error().code() == Errc::kLimit && context_->release_ballast())
    created = Manifest::create(directory, content);
  TRY(context_->manifest, std::move(created));
  return {};
}

// The newest segment of each lane has the list; a lane may have been damaged since.
Result<void> SegmentedSpool::load_forks() {
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    const auto number = context_->manifest->content().newest[lane];
    if (number == 0) continue;
    auto segment = context_->open_segment(context_->directory + "/" + segment_name(lane, number));
    if (!segment && !is_gone(segment.error())) return std::move(segment).error();
    if (!segment) continue;
    // On a full disk its log would not find its space again.
    segment->leave_log_on_close();
    TRY(const auto state, segment->state());
    const auto forks = state.rows.find(forks_key());
    if (forks == state.rows.end()) continue;
    TRY(auto list, unpack_forks(forks->second));
    if (list.size() > context_->forks.size()) context_->forks = std::move(list);
  }
  return {};
}

Result<void> SegmentedSpool::find_old_layout() {
  const std::string path = OldSpool::path_in(context_->directory);
  if (!files::exists(path)) return {};
  auto old = context_->old_reader();
  auto content = old ? (*old)->content() : Result<OldSpool::Content>(old.error());
  if (!content) {
    if (!is_gone(content.error())) return std::move(content).error();
    context_->close_reader(path);
    TRY(const auto folder, put_database_aside(context_->directory, "spool.db"));
    ++context_->counters.segments_aside;
    context_->note("spool.quarantined", wire::Severity::kError,
                   "the database of the earlier version was damaged and put aside: " + folder +
                       ": " + content.error().message());
    return {};
  }
  old_ = std::move(*content);
  old_bytes_ = segment_bytes_on_disk(path);
  return {};
}

// ---- lanes -------------------------------------------------------------------------------------

Result<bool> SegmentedSpool::load_lane(std::size_t lane) {
  LaneLoader loader(*context_, lane, manifest_rebuilt_);
  if (context_->manifest->content().newest[lane] != 0 && old_) {
    TRY_VOID(loader.take_old(*old_));
  }
  const auto numbers = segments_in(context_->directory);
  for (const auto number : numbers[lane]) {
    TRY_VOID(loader.take(number));
  }
  if (context_->manifest->content().newest[lane] == 0) return true;
  TRY(auto loaded, loader.finish());
  if (lane == kLogs && !loader.newest_is_there()) {
    const auto copy = CheckpointCopy::found_in(chains_[kControl].state(), *context_);
    if (copy && copy->seq >= static_cast<std::int64_t>(loaded.state_seq))
      copy->put_into(loaded.state);
  }
  chains_[lane].take(std::move(loaded));
  return loader.newest_is_there();
}

Result<void> SegmentedSpool::migrate_lane(std::size_t lane) {
  if (!old_ || context_->manifest->content().newest[lane] != 0) return {};
  const std::uint64_t next = old_->next_seq[lane];
  const std::uint64_t oldest = old_->oldest_seq[lane];
  if (next == 1 && old_->state[lane].empty() && lane != kControl) return {};
  Chain::Loaded loaded;
  if (oldest < next) {
    SegmentInfo info;
    info.path = OldSpool::path_in(context_->directory);
    info.epoch = old_->epoch;
    info.first = oldest;
    info.last = next - 1;
    loaded.segments.push_back(std::move(info));
    TRY(auto* reader, context_->old_reader());
    TRY(const auto sizes, reader->sizes(lane));
    loaded.sizes.assign(sizes.begin(), sizes.end());
  }
  chains_[lane].take(std::move(loaded));
  chains_[lane].begin_with(old_->state[lane], next, lane == kMetrics ? old_->next_series_id : 1);
  TRY_VOID(chains_[lane].begin_next());
  context_->note("spool.migrated", wire::Severity::kInfo,
                 "lane " + std::to_string(lane) +
                     " of the earlier version's spool was taken over, " +
                     std::to_string(next - oldest) + " batches are pending");
  return {};
}

// Those that lane 0 has not got yet.
Result<void> SegmentedSpool::collect_carried() {
  std::map<std::uint64_t, WaitingCarried> waiting;
  for (std::size_t lane = 1; lane < wire::kLaneCount; ++lane) {
    TRY(const auto found, chains_[lane].carried_from(chains_[kControl].next_seq()));
    for (const auto& carried : found)
      waiting.emplace(carried.first, WaitingCarried{carried.first, lane, carried.second});
  }
  for (const auto& [seq, carried] : waiting) carried_.push_back(carried);
  return {};
}

}  // namespace observeai::agent
