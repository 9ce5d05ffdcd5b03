// Between the collectors and the spool: turns signals into batches, splits what is too large, keeps
// the loss ledger, and decides what waits when the spool is full.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/spool/spool.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// What one source has read and lost since the last commit.
struct SourceDelta {
  std::string source;  // "log/container/<id>"
  std::uint64_t records_read = 0;
  std::uint64_t bytes_read = 0;
  std::map<std::string, std::uint64_t> records_dropped;
  std::map<std::string, std::uint64_t> bytes_dropped;
};

struct LogCommit {
  std::vector<wire::LogRecord> records;
  std::vector<SourceCheckpoint> checkpoints;
  std::vector<std::string> forgotten_sources;
  std::vector<SourceDelta> deltas;
  std::vector<wire::Event> events;
};

// One thread. Control signals are kept in memory (bounded) until the spool takes them; log records
// never are: their files are the buffer.
class Outbox {
 public:
  // Waiting control signals beyond this are dropped, oldest first, and counted: only a spool that
  // has been full for long comes here.
  static constexpr std::size_t kMaxWaiting = 4096;

  // Loads the ledger. `on_grew` is called after each commit that added batches.
  static Result<Outbox> create(Spool& spool, const Clock& clock, std::function<void()> on_grew);

  void add_event(wire::Event event);
  void add_inventory(wire::InventoryUpdate update);
  // Definitions that the spool knows and the control plane has lost.
  void resend_series(std::vector<wire::SeriesDefinition> definitions);

  // Commits what waits. kLimit: the spool is full, everything still waits.
  Result<void> flush();
  // With what waits; `definitions` are new, sent with the scrape and remembered by the spool. A
  // scrape that the spool refuses is counted as dropped, for the next one replaces it; its
  // definitions must be given again.
  Result<void> commit_scrape(wire::Scrape scrape,
                             const std::vector<wire::SeriesDefinition>& definitions);
  // With what waits, all or nothing: on an error the caller must roll its sources back.
  Result<void> commit_logs(LogCommit commit);
  // Queues the ledger entries that changed since the last call.
  void report_ledger();

  std::uint64_t control_dropped() const { return control_dropped_; }
  bool spool_full() const { return spool_full_; }

 private:
  Outbox(Spool& spool, const Clock& clock, std::function<void()> on_grew)
      : spool_(&spool), clock_(&clock), on_grew_(std::move(on_grew)) {}

  using LedgerKey = std::pair<std::string, wire::Lane>;

  Result<void> add_control(CommitUnit& unit) const;
  Result<void> commit(CommitUnit unit, bool with_control);
  wire::LedgerEntry& ledger_entry(const std::string& source, wire::Lane lane);
  void note_full(bool full);
  void bound_waiting();

  Spool* spool_;
  const Clock* clock_;
  std::function<void()> on_grew_;
  wire::ControlBatch waiting_;
  std::map<LedgerKey, wire::LedgerEntry> ledger_;
  std::vector<LedgerKey> changed_;
  std::uint64_t control_dropped_ = 0;
  bool spool_full_ = false;
};

}  // namespace observeai::agent
