// A Spool in memory with the same answers as the real one, and faults on request.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::test {

class MemorySpool final : public agent::Spool {
 public:
  explicit MemorySpool(Epoch epoch = Epoch{{1}}, std::uint64_t the_bound = UINT64_MAX)
      : bound(the_bound) {
    state_.epoch = epoch;
    state_.next_seq.fill(1);
    state_.oldest_seq.fill(1);
  }

  std::uint64_t bound;  // Of all bodies
  int commits = 0;      // Of batches; tried, the refused ones included
  std::optional<Error> fail_reads;
  std::optional<Error> fail_acknowledges;
  int acknowledges = 0;  // That changed something
  std::vector<agent::SpoolNotice> notices;
  std::set<wire::Lane>
      full_lanes;  // Refuse units with batches of these; of lane 0 unless beside data
  std::optional<Error> fail_commits;
  std::optional<Error> fail_forgets;
  std::map<std::pair<wire::Lane, std::uint64_t>, std::vector<agent::SourceCount>>
      counts;  // As committed, by lane and number
  std::optional<Error> fail_epochs;
  // Of the next epoch: copies of one spool must not choose the same.
  std::function<Epoch()> next_epoch = [this] {
    Epoch epoch = state_.epoch;
    ++epoch.bytes[0];
    return epoch;
  };

  Result<std::vector<std::uint64_t>> commit(const agent::CommitUnit& unit) override {
    if (!unit.batches.empty()) ++commits;
    if (fail_commits) return *fail_commits;
    std::uint64_t bytes = 0;
    auto lane = unit.checkpoints.empty() && unit.forgotten_sources.empty() ? wire::Lane::kControl
                                                                           : wire::Lane::kLogs;
    for (const auto& batch : unit.batches) {
      bytes += batch.body.size();
      if (batch.lane != wire::Lane::kControl) lane = batch.lane;
    }
    if (!unit.batches.empty() && full_lanes.contains(lane))
      return Error(Errc::kLimit, "spool is full");
    if (bytes > 0 && state_.bytes + bytes > bound) return Error(Errc::kLimit, "spool is full");
    std::vector<std::uint64_t> given;
    for (const auto& pending : unit.batches) given.push_back(append(pending));
    for (const auto& checkpoint : unit.checkpoints) checkpoints_[checkpoint.source] = checkpoint;
    for (const auto& source : unit.forgotten_sources) checkpoints_.erase(source);
    for (const auto& series : unit.new_series) {
      series_[series.id] = series;
      next_series_id_ = std::max(next_series_id_, series.id + 1);
    }
    for (const auto& entry : unit.ledger) ledger_[{entry.source, entry.lane}] = entry;
    for (const auto& key : unit.forgotten_ledger) ledger_.erase({key.source, key.lane});
    state_.disk_bytes = state_.bytes;
    return given;
  }

  Result<std::vector<wire::Batch>> read(wire::Lane lane, std::uint64_t after, std::size_t max_count,
                                        std::size_t max_bytes) override {
    if (fail_reads) return *fail_reads;
    std::vector<wire::Batch> out;
    std::size_t bytes = 0;
    const auto& kept = lanes_[index(lane)];
    for (auto it = kept.upper_bound(after); it != kept.end() && out.size() < max_count; ++it) {
      bytes += it->second.body.size();
      if (!out.empty() && bytes > max_bytes) break;
      out.push_back(it->second);
    }
    return out;
  }

  std::vector<agent::SourceCount> counts_of(wire::Lane lane, std::uint64_t seq) override {
    const auto found = counts.find({lane, seq});
    return found == counts.end() ? std::vector<agent::SourceCount>() : found->second;
  }
  Result<void> acknowledge(const std::array<std::uint64_t, wire::kLaneCount>& contiguous) override {
    if (fail_acknowledges) return *fail_acknowledges;
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      if (contiguous[lane] >= state_.next_seq[lane]) {
        return Error(Errc::kInvalid, "a batch was acknowledged that was never written");
      }
    }
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      auto& kept = lanes_[lane];
      while (!kept.empty() && kept.begin()->first <= contiguous[lane]) {
        state_.bytes -= kept.begin()->second.body.size();
        kept.erase(kept.begin());
        ++acknowledges;
      }
      state_.oldest_seq[lane] = kept.empty() ? state_.next_seq[lane] : kept.begin()->first;
    }
    state_.disk_bytes = state_.bytes;
    return {};
  }

  const agent::SpoolState& state() const override { return state_; }
  Result<std::vector<agent::SourceCheckpoint>> checkpoints() override {
    return values(checkpoints_);
  }
  Result<std::vector<wire::SeriesDefinition>> series() override { return values(series_); }
  Result<void> forget_series(const std::vector<std::uint32_t>& ids) override {
    if (fail_forgets && !ids.empty()) return *fail_forgets;
    for (const auto id : ids) series_.erase(id);
    return {};
  }
  std::uint32_t next_series_id() const override { return next_series_id_; }
  Result<std::vector<wire::LedgerEntry>> ledger() override { return values(ledger_); }
  Result<std::optional<std::string>> fact(const std::string& name) override {
    const auto found = facts_.find(name);
    return found == facts_.end() ? std::optional<std::string>() : found->second;
  }
  Result<void> set_fact(const std::string& name, const std::string& value) override {
    facts_[name] = value;
    return {};
  }
  // All batches move to the next epoch; their origins tell where from. The ledger keeps what was
  // dropped; what is pending is not counted here.
  Result<void> begin_epoch() override {
    if (fail_epochs) return *fail_epochs;
    const Epoch before = std::exchange(state_.epoch, next_epoch());
    std::erase_if(ledger_, [](const auto& row) {
      return row.second.records_dropped.empty() && row.second.bytes_dropped.empty();
    });
    for (auto& [key, entry] : ledger_) {
      entry.as_of_seq = entry.bytes_read = entry.records_spooled = entry.records_read = 0;
      for (const auto& [reason, count] : entry.records_dropped) entry.records_read += count;
    }
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      std::map<std::uint64_t, wire::Batch> moved;
      for (auto& [seq, batch] : lanes_[lane]) {
        if (!batch.header.origin) batch.header.origin = wire::BatchOrigin{before, seq};
        batch.header.epoch = state_.epoch;
        batch.header.seq = moved.size() + 1;
        moved.emplace(batch.header.seq, std::move(batch));
      }
      lanes_[lane] = std::move(moved);
      state_.oldest_seq[lane] = 1;
      state_.next_seq[lane] = lanes_[lane].size() + 1;
    }
    ++counters_.epochs_begun;
    return {};
  }
  // Gives a pending batch up: its number stays, its content is a notice.
  void lose(wire::Lane lane, std::uint64_t seq, const wire::LossNotice& notice) {
    auto& batch = lanes_[index(lane)].at(seq);
    batch.header.codec = wire::Codec::kLost;
    batch.header.n = 0;
    batch.body = wire::encode_loss(notice).value();
  }
  const agent::SpoolCounters& counters() const override { return counters_; }
  std::vector<agent::SpoolNotice> take_notices() override { return std::exchange(notices, {}); }

 private:
  static std::size_t index(wire::Lane lane) { return static_cast<std::size_t>(lane); }
  template <class Key, class Value>
  static std::vector<Value> values(const std::map<Key, Value>& map) {
    std::vector<Value> out;
    for (const auto& [key, value] : map) out.push_back(value);
    return out;
  }
  std::uint64_t append(const agent::PendingBatch& pending) {
    const auto lane = index(pending.lane);
    const auto seq = state_.next_seq[lane]++;
    counts[{pending.lane, seq}] = pending.counts;
    wire::Batch batch;
    // As the real one: the spool does not know whose it is.
    batch.header.epoch = state_.epoch;
    batch.header.lane = pending.lane;
    batch.header.seq = seq;
    batch.header.n = pending.n;
    batch.header.first_ts_ms = pending.first_ts_ms;
    batch.header.last_ts_ms = pending.last_ts_ms;
    batch.body = pending.body;
    state_.bytes += batch.body.size();
    if (lanes_[lane].empty()) state_.oldest_seq[lane] = seq;
    lanes_[lane].emplace(seq, std::move(batch));
    return seq;
  }

  agent::SpoolState state_;
  std::array<std::map<std::uint64_t, wire::Batch>, wire::kLaneCount> lanes_;
  std::map<std::string, agent::SourceCheckpoint> checkpoints_;
  std::map<std::uint32_t, wire::SeriesDefinition> series_;
  std::map<std::pair<std::string, wire::Lane>, wire::LedgerEntry> ledger_;
  std::map<std::string, std::string> facts_;
  std::uint32_t next_series_id_ = 1;
  agent::SpoolCounters counters_;
};

}  // namespace observeai::test
