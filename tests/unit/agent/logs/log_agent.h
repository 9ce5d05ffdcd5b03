// An agent's log side that is started, killed and drained by a test, and what it made durable.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/logs/log_collector.h"

namespace observeai::test {

// What a spool would hold.
struct LogStore {
  std::vector<wire::LogRecord> records;
  std::map<std::string, std::string> checkpoints;
  std::vector<wire::Event> events;
  std::map<std::string, std::uint64_t> bytes_dropped;
  std::uint64_t counted_records = 0;
  std::uint64_t counted_bytes = 0;

  void commit(agent::LogRead read) {
    for (auto& record : read.records) records.push_back(std::move(record));
    for (auto& event : read.events) events.push_back(std::move(event));
    for (const auto& checkpoint : read.checkpoints)
      checkpoints[checkpoint.source] = checkpoint.state;
    for (const auto& source : read.forgotten_sources) checkpoints.erase(source);
    for (const auto& counts : read.counts) {
      counted_records += counts.records_read;
      counted_bytes += counts.bytes_read;
      for (const auto& [reason, bytes] : counts.bytes_dropped) bytes_dropped[reason] += bytes;
    }
  }
  std::vector<agent::SourceCheckpoint> restored() const {
    std::vector<agent::SourceCheckpoint> out;
    for (const auto& [source, state] : checkpoints) out.push_back({source, state});
    return out;
  }
  std::size_t event_count(const std::string& kind) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const auto& event) { return event.kind == kind; }));
  }
  bool has_event(const std::string& kind) const { return event_count(kind) > 0; }
};

class LogAgent {
 public:
  LogAgent(ManualClock& clock, LogStore& store, agent::LogCollectorOptions options)
      : clock_(clock), store_(store), options_(std::move(options)) {}

  // Of a container that is followed from the next start() on.
  void add_container(const std::string& id, const std::string& log_path) {
    auto& container = containers_.emplace_back();
    container.facts.id = id;
    container.facts.state = "running";
    container.log_path = log_path;
  }
  void remove_container(const std::string& id) {
    std::erase_if(containers_, [&](const auto& container) { return container.facts.id == id; });
    if (up()) collector_->set_containers(containers_);
  }

  void start() {
    collector_ = std::make_unique<agent::LogCollector>(clock_, options_);
    const auto checkpoints = store_.restored();
    collector_->restore(checkpoints);
    collector_->set_containers(containers_);
  }
  void kill() { collector_.reset(); }
  bool up() const { return collector_ != nullptr; }
  agent::LogCollector& collector() { return *collector_; }

  void read_and_commit(std::size_t bytes) {
    auto read = collector_->read(bytes);
    const auto count = read.records.size();
    store_.commit(std::move(read));
    collector_->reuse(used_records(count));
    collector_->committed();
  }
  // Until nothing came for `quiet` polls of 250 ms.
  void drain(int quiet_polls = 4) {
    int quiet = 0;
    for (int i = 0; i < 100'000 && quiet < quiet_polls; ++i) {
      clock_.advance(std::chrono::milliseconds(250));
      const auto before = store_.records.size();
      read_and_commit(1 << 20);
      quiet = store_.records.size() == before && !collector_->more() ? quiet + 1 : 0;
    }
    REQUIRE(quiet == quiet_polls);
  }

 private:
  // What must not be seen again.
  static std::vector<wire::LogRecord> used_records(std::size_t count) {
    wire::LogRecord record;
    record.target = "used";
    record.stream = wire::LogStream::kOther;
    record.ts_ns = -1;
    record.text = "text of a record that was used before";
    record.flags = ~0U;
    record.original_bytes = 1;
    return std::vector<wire::LogRecord>(count, record);
  }

  ManualClock& clock_;
  LogStore& store_;
  agent::LogCollectorOptions options_;
  std::vector<agent::ObservedContainer> containers_;
  std::unique_ptr<agent::LogCollector> collector_;
};

}  // namespace observeai::test
