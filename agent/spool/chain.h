// The segments of one lane, oldest first; the last one is written. Numbers are those of today's epoch.
// Internal to agent/spool. Failures as in spool.h, not yet translated.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/spool/context.h"
#include "agent/spool/segment.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

struct SegmentInfo {
  std::uint64_t number = 0;  // 0 = the database of the old layout
  std::string path;
  Epoch epoch;
  std::uint64_t first = 1;
  std::uint64_t last = 0;     // first - 1: empty
  std::uint64_t shift = 0;    // The segment's own numbers are so much higher
  std::uint64_t carried = 0;  // Highest number of lane 0 that it carries, 0 = none
  std::uint64_t bytes = 0;    // On disk
};

// One transaction.
struct ChainWrite {
  struct NewBatch {
    std::uint64_t seq = 0;
    std::string head;
    std::string_view body;
  };
  struct StateChange {
    StateKey key;
    std::optional<std::string> value;  // Empty: to delete
  };
  std::vector<NewBatch> batches;  // Numbers ascend; next_seq() is the first unless lane 0 has a gap
  std::vector<NewBatch> carried;  // Of lane 0
  std::vector<StateChange> changes;
  std::vector<std::pair<std::uint64_t, std::string>> evicted;  // Number and head
  std::uint32_t next_series_id = 0;                            // 0 = as before
};

class Chain {
 public:
  Chain(SpoolContext& context, std::size_t lane) : context_(context), lane_(lane) {}

  bool begun() const { return !segments_.empty(); }
  std::uint64_t next_seq() const { return next_; }
  std::uint64_t oldest_seq() const { return next_ - sizes_.size(); }
  std::uint64_t pending_bytes() const { return pending_bytes_; }
  std::uint64_t disk_bytes() const;
  std::uint32_t next_series_id() const { return next_series_id_; }
  const std::vector<SegmentInfo>& segments() const { return segments_; }
  const StateRows& state() const { return state_; }  // Without series

  Result<void> write(const ChainWrite& unit);
  // When a unit with carried batches is in doubt: ends the segment before it should it be on the disk.
  // Before that no number of lane 0 is given, or a crash might bring the unit back without them.
  Result<void> settle_carried();
  // Appends to `out` until count or bytes, at least one if any.
  Result<void> read(std::uint64_t after, std::size_t max_count, std::size_t max_bytes,
                    std::vector<wire::Batch>& out);
  // Empty: not known, or not pending.
  std::vector<SourceCount> counts_of(std::uint64_t seq);
  Result<SegmentRow> carried(std::uint64_t segment_number, std::uint64_t seq);
  // What is carried of this epoch at `from` and above: number in lane 0 and segment.
  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> carried_from(std::uint64_t from);
  Result<std::vector<wire::SeriesDefinition>> series();

  // Numbers up to `seq` are not needed any more. Touches no disk; release() does.
  void acknowledge(std::uint64_t seq);
  // Removes segments whose batches are all acknowledged, once the manifest says so, and ends the newest
  // when that frees `worth_bytes`. `control_next`: what is carried below it has arrived in lane 0.
  Result<void> release(std::uint64_t control_next, std::uint64_t worth_bytes);
  // Gives up the oldest segment's batches. False: there is nothing to give up.
  Result<bool> evict_oldest(std::uint64_t control_next);

  // Two steps around the manifest's write: the first makes the segment of the new epoch, the second
  // takes it into use. `oldest` becomes number 1.
  Result<void> prepare_epoch(const Epoch& epoch, const std::vector<Fork>& forks);
  std::uint64_t prepared_number() const { return prepared_info_.number; }
  void enter_epoch();
  void drop_prepared();

  // Filled by recover.cc.
  struct Loaded {
    std::vector<SegmentInfo> segments;
    std::deque<std::uint32_t> sizes;
    std::uint64_t next = 1;
    std::uint32_t next_series_id = 1;
    StateRows state;
    std::uint64_t state_seq =
        0;                    // Without the newest segment: `state` is as it was after this batch
    bool end_newest = false;  // It is damaged: read only
    std::optional<Segment> writer;
    std::uint64_t revision = 0;
  };
  void take(Loaded loaded);
  void begin_with(StateRows rows, std::uint64_t next, std::uint32_t next_series_id);
  Result<void> begin_next();  // Ends the newest segment and begins another one

 private:
  // Where a new segment stands: today's number `base` is its number 1.
  struct Plan {
    SegmentInfo info;
    std::uint64_t base = 1;
    const StateRows* state = nullptr;
    const std::vector<Fork>* forks = nullptr;
  };
  Plan plan_next() const;
  Result<Segment> build(const Plan& plan);
  Result<Segment> build_or_use_ballast(const Plan& plan);
  Result<void> fill(Segment& segment, const Plan& plan);
  Result<void> copy_from_newest(Segment& to, const Plan& plan);
  void use(Segment segment, SegmentInfo info);
  Result<StateRows> ledger_to_come();

  static bool holds_batches(const SegmentInfo& info);
  Result<void> ready_writer();
  Result<void> open_writer();
  Result<void> drop_failed_carried();
  Result<void> try_write(const ChainWrite& unit, bool& in_doubt);
  void remember(const ChainWrite& unit);
  void end_newest(const char* why, const Error& error);

  const SegmentInfo* find(std::uint64_t seq) const;
  const SegmentInfo* after(std::uint64_t seq) const;
  Result<Segment*> handle(const SegmentInfo& info);
  Result<wire::Batch> fetch(const SegmentInfo& info, std::uint64_t seq);
  Result<wire::Batch> fetch_or_loss(std::uint64_t seq);
  bool gives_up_on(const SegmentInfo& info, std::uint64_t seq, const Error& error);
  Result<wire::Batch> loss_of(std::uint64_t seq, const std::string& reason,
                              const std::optional<std::string>& head);
  std::optional<std::string> head_of_lost(const SegmentInfo* info, std::uint64_t seq);
  wire::Batch empty_batch(const SegmentInfo* info, std::uint64_t seq) const;
  void forget_sizes(std::uint64_t first, std::uint64_t last);

  SpoolContext& context_;
  const std::size_t lane_;
  std::vector<SegmentInfo> segments_;
  std::deque<std::uint32_t> sizes_;  // Of the bodies oldest .. next - 1; 0 for what is lost
  std::uint64_t next_ = 1;
  std::uint64_t pending_bytes_ = 0;
  std::uint32_t next_series_id_ = 1;
  StateRows state_;
  StateRows first_series_;  // Of a chain that is yet to begin
  std::optional<Segment> writer_;
  std::optional<Segment> prepared_;  // Of the epoch to come
  SegmentInfo prepared_info_;
  StateRows prepared_state_;
  std::uint64_t revision_ = 0;
  bool end_newest_ = false;          // Nothing more is to be written into it
  bool has_failed_unit_ = false;     // It holds one that was reported as failed
  bool carried_in_doubt_ = false;    // It may hold one, with carried batches
  std::set<std::uint64_t> damaged_;  // Pending and counted
  std::string told_damaged_;         // The segment last told of
  std::uint64_t stubborn_seq_ = 0;
  int stubborn_tries_ = 0;
};

}  // namespace observeai::agent
