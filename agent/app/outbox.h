// Between the collectors and the spool: turns signals into batches, splits what is too large, keeps
// the loss ledger, and decides what waits when the spool is full.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/app/log_line_counts.h"
#include "agent/app/outbox_ledger.h"
#include "agent/core/log_commit.h"
#include "agent/spool/spool.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/wire/command.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// A spool that was full is asked again after kAskEvery, or as soon as it has given back disk space:
// until then nothing is encoded in vain.
class FullPause {
 public:
  static constexpr std::chrono::seconds kAskEvery{5};

  void begin(const SpoolState& spool, SteadyTime now) {
    until_ = now + kAskEvery;
    bytes_ = spool.disk_bytes;
  }
  void end() { until_.reset(); }
  bool begun() const { return until_.has_value(); }
  bool lasts(const SpoolState& spool, SteadyTime now) const {
    return until_ && now < *until_ && spool.disk_bytes >= bytes_;
  }

 private:
  std::optional<SteadyTime> until_;
  std::uint64_t bytes_ = 0;
};

// One thread. Control signals are kept in memory (bounded) until the spool takes them; log records
// never are: their files are the buffer. Control, metrics and logs are committed apart, so that none
// waits for another: a spool that takes no more logs still takes metrics (evicting old ones) and
// control. What the spool gave up later is not dropped in the ledger: the spool itself declares it to
// the control plane (docs/adr/0010).
class Outbox {
 public:
  // Waiting events beyond this are dropped, oldest first, and counted: only a spool that has been
  // full for long comes here.
  static constexpr std::size_t kMaxWaiting = 4096;
  // Two of the longest, or very many.
  static constexpr std::size_t kMaxWaitingResultBytes = 2U << 20;

  // Loads the ledger. `on_grew` is called after each commit that added batches.
  static Result<Outbox> create(Spool& spool, const Clock& clock, std::function<void()> on_grew);

  void add_event(wire::Event event);
  void add_inventory(wire::InventoryUpdate update);
  // An envelope with the result of a command, as the executor signed it; one that waits already is not
  // taken twice. kInvalid: no batch can hold it. kLimit: too many bytes of results wait; the executor
  // keeps it, offer it again after a flush.
  Result<void> add_result(std::string envelope);
  // sha256 of the envelopes that came into the spool since the last call: the executor may forget
  // them. What this process does not live to tell comes in twice; a result is stored once.
  std::vector<wire::Digest> take_spooled_results() { return std::exchange(spooled_results_, {}); }
  // The last update is not in the spool yet. Give no other one until it is, for nothing else bounds
  // what waits.
  bool inventory_waits() const { return !waiting_.inventory.empty(); }
  // The control plane has lost definitions: all that the spool knows, again.
  void resend_series() { series_wanted_ = true; }

  // Commits what waits. kLimit: the spool is full, everything still waits. What no message can hold
  // is dropped, counted and reported.
  Result<void> flush();
  // False: the spool is full for logs, so that reading them would be in vain.
  bool takes_data() const { return !logs_pause_.lasts(spool_->state(), clock_->steady_now()); }
  // `definitions` are new, sent with the scrape and remembered by the spool. A scrape that is not
  // committed is counted as dropped, for the next one replaces it; its definitions must be given
  // again.
  Result<void> commit_scrape(wire::Scrape scrape,
                             const std::vector<wire::SeriesDefinition>& definitions);
  // All or nothing, events included: on an error the caller must roll its sources back. kLimit: the
  // spool is full. Leaves records in `commit` for their memory's sake.
  Result<void> commit_logs(LogCommit&& commit);
  // After Spool::begin_epoch(): its ledger, and all definitions and entries again.
  Result<void> epoch_begun();
  // Queues the ledger entries that changed since they were last committed, and lets those of
  // forgotten sources go whose last report has arrived.
  void report_ledger();

  const LogLineCounts& log_lines() const { return log_lines_; }
  std::uint64_t control_dropped() const { return control_dropped_; }
  bool spool_full() const { return spool_full_; }
  std::size_t ledger_size() const { return ledger_.size(); }

 private:
  Outbox(Spool& spool, const Clock& clock, std::function<void()> on_grew)
      : spool_(&spool), clock_(&clock), on_grew_(std::move(on_grew)) {}

  // `lane`: whose pause a refusal begins, and a batch of it that went in ends.
  Result<std::vector<std::uint64_t>> commit(const CommitUnit& unit, wire::Lane lane);
  Result<void> store_scrape(wire::Scrape scrape,
                            const std::vector<wire::SeriesDefinition>& definitions,
                            const wire::LedgerEntry& before);
  Result<void> add_late_control();
  void save_ledger();
  void logs_committed(CommitUnit unit);
  void control_committed(std::uint64_t last_seq, const std::vector<LedgerKey>& forgotten,
                         const std::vector<std::string>& refused);
  void note_refused(const std::vector<std::string>& refused);
  void note_full();
  void report_notices();
  Result<void> load_ledger();

  Spool* spool_;
  const Clock* clock_;
  std::function<void()> on_grew_;
  wire::ControlBatch waiting_;  // Series and ledger only while they are being committed
  std::vector<wire::Digest> waiting_results_;  // Of waiting_.results, same order
  std::vector<wire::Digest> spooled_results_;
  bool series_wanted_ = false;
  bool ledger_wanted_ = false;
  OutboxLedger ledger_;
  LogLineCounts log_lines_;
  FullPause logs_pause_;
  FullPause metrics_pause_;
  FullPause control_pause_;
  std::uint64_t control_dropped_ = 0;
  bool spool_full_ = false;
};

}  // namespace observeai::agent
