// The spool over its four chains. Internal to agent/spool.
#pragma once

#include <memory>

#include "agent/spool/chain.h"
#include "agent/spool/checkpoint_copy.h"
#include "agent/spool/context.h"
#include "agent/spool/spool.h"
#include "protocol/sql/directory_lock.h"

namespace observeai::agent {

// A batch of lane 0 that waits in a data lane's segment until lane 0 takes it.
struct WaitingCarried {
  std::uint64_t seq = 0;
  std::size_t lane = 0;
  std::uint64_t segment = 0;  // Number in the lane's chain
};

class SegmentedSpool final : public Spool {
 public:
  // Made by open(): recover.cc.
  SegmentedSpool(sql::DirectoryLock lock, std::unique_ptr<SpoolContext> context,
                 OnDamage on_damage);
  ~SegmentedSpool() override;
  SegmentedSpool(const SegmentedSpool&) = delete;
  SegmentedSpool& operator=(const SegmentedSpool&) = delete;
  Result<void> recover();

  Result<std::vector<std::uint64_t>> commit(const CommitUnit& unit) override;
  Result<std::vector<wire::Batch>> read(wire::Lane lane, std::uint64_t after, std::size_t max_count,
                                        std::size_t max_bytes) override;
  std::vector<SourceCount> counts_of(wire::Lane lane, std::uint64_t seq) override;
  Result<void> acknowledge(const std::array<std::uint64_t, wire::kLaneCount>& contiguous) override;
  Result<void> begin_epoch() override;
  const SpoolState& state() const override { return state_; }
  Result<std::vector<SourceCheckpoint>> checkpoints() override;
  Result<std::vector<wire::SeriesDefinition>> series() override;
  Result<void> forget_series(const std::vector<std::uint32_t>& ids) override;
  std::uint32_t next_series_id() const override;
  Result<std::vector<wire::LedgerEntry>> ledger() override;
  Result<std::optional<std::string>> fact(const std::string& name) override;
  Result<void> set_fact(const std::string& name, const std::string& value) override;
  const SpoolCounters& counters() const override { return context_->counters; }
  std::vector<SpoolNotice> take_notices() override;

 private:
  // commit.cc
  Result<std::vector<std::uint64_t>> commit_batches(const CommitUnit& unit);
  Result<void> commit_state(const CommitUnit& unit);
  Result<void> make_room(std::size_t lane, std::uint64_t bytes);
  std::uint64_t bytes_of_files() const;
  Result<void> check_quota(std::size_t lane, std::uint64_t bytes) const;
  Result<void> check_free_space(std::size_t lane, std::uint64_t bytes);
  Result<bool> evict_for(std::size_t lane);
  Result<bool> evict_for_disk(std::size_t lane);
  Result<void> write_unit(std::size_t lane, const ChainWrite& unit);
  Result<void> reserve_series(std::uint32_t next_series_id);
  Result<void> drain_carried();
  std::uint64_t next_control_seq() const;
  Result<void> start_epoch();
  Result<void> try_epoch();
  std::vector<Fork> forks_in_use() const;
  void release();
  void release_old_layout();
  void copy_checkpoints();
  void refresh();
  Error translated(Error error);

  // recover.cc
  Result<void> find_manifest();
  Result<bool> load_lane(std::size_t lane);  // False: its newest segment is gone, with its numbers
  Result<void> find_old_layout();
  Result<void> load_forks();
  Result<void> migrate_lane(std::size_t lane);
  Result<void> collect_carried();

  const sql::DirectoryLock lock_;
  std::unique_ptr<SpoolContext> context_;
  OnDamage on_damage_;  // Empty once told
  std::array<Chain, wire::kLaneCount> chains_;
  std::vector<WaitingCarried> carried_;  // Numbers ascend
  SpoolState state_;
  std::optional<OldSpool::Content> old_;     // While there is one and something in it is pending
  std::uint64_t old_bytes_ = 0;              // On disk
  std::optional<CheckpointCopy> next_copy_;  // Not written before its batch is acknowledged
  std::optional<SteadyTime> copy_not_before_;
  bool manifest_rebuilt_ = false;
  // Bytes of the files: something was given up for want of disk. Until there is enough again.
  std::optional<std::uint64_t> evict_again_at_;
  bool full_ = false;  // Since the last commit that was refused
};

}  // namespace observeai::agent
