// The control plane's memory: every interface of controlplane/model/repositories.h on SQLite.
//
// Layout of the folder: lock · state.db · telemetry/p-<start>.db. One process at a time. All interfaces
// are thread-safe; writers wait for each other, readers wait for nobody.
#pragma once

#include <memory>
#include <string>

#include "controlplane/model/plan_repositories.h"
#include "controlplane/model/prediction_repositories.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

struct StoreOptions {
  std::string directory;
  std::uint64_t telemetry_max_bytes = 10ULL << 30;
  std::int64_t telemetry_max_age_ms = 7LL * 86'400'000;
  std::int64_t partition_length_ms = 3'600'000;
  // Below this, the oldest partitions go early: state.db and the newest one need room to go on.
  std::uint64_t min_free_bytes = 256ULL << 20;
  // What one agent may make grow; beyond it its batches are refused (kInvalid).
  // A spool that is made anew, or copied, begins an epoch, which is forgotten when nothing of it is left:
  // hundreds within the age of telemetry are no host at work. Each costs a row, and its series anew.
  std::size_t max_epochs_of_agent = 256;
  // Moved batches that are remembered, about 100 bytes each, since the start: more than a spool holds.
  std::size_t max_moved_of_agent = 250'000;
  // Sources that its batches, loss notices and ledger name, over all lanes and epochs: about 300 bytes
  // of memory each, and the reader of an hour's partition counts each of them. They are forgotten after
  // the age of telemetry without news: 10,000 containers a day are 80,000. Names have at most
  // wire::kMaxLossSourceBytes (a container's are 78).
  std::size_t max_sources_of_agent = 100'000;
  // Series over all epochs, about 75 bytes of memory each, forgotten alike: 5,000 containers a day with
  // all their 46 metrics are 1,840,000.
  std::size_t max_series_of_agent = 2'000'000;
};

struct StoreCounters {
  std::uint64_t partitions = 0;
  std::uint64_t telemetry_bytes = 0;
  // Since the start of the program:
  std::uint64_t dropped_partitions = 0;  // By retention
  std::uint64_t dropped_bytes = 0;
  std::uint64_t quarantined_partitions = 0;
  std::uint64_t unreadable_chunks = 0;
};

class Store {
 public:
  // Creates what is missing. kInvalid: made by a newer version (both are named); kDenied: not writable;
  // kUnavailable: in use by another process; kCorrupt: state.db is damaged (a damaged telemetry
  // partition is put aside with an alert instead). `clock` outlives the store.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, const Clock& clock);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  model::AgentRegistry& agents();
  model::TokenRepository& tokens();
  model::AccessRepository& access();
  model::AuditLog& audit();
  model::AuditHeadRepository& audit_heads();
  model::AlertRepository& alerts();
  model::TelemetryReader& reader();
  model::TelemetryWriter& writer();
  model::PlanRepository& plans();
  model::CommandRepository& commands();
  model::PredictionRepository& predictions();

  // Retention and what may be written late. Call about once a minute; takes milliseconds, more when
  // something is dropped. Every step is tried; the first error is returned. Thread-safe.
  Result<void> maintenance();
  StoreCounters counters();

 private:
  struct Parts;
  explicit Store(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace observeai::controlplane
