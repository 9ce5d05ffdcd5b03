// What runs on this host: keeps the inventory from Docker's watcher, /proc and systemd, and reports
// what changed. Docker's changes go out at once, those that come together as one; processes, ports
// and units every few seconds.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "agent/budget/shedding.h"
#include "agent/discovery/docker_loop.h"
#include "agent/discovery/inventory_tracker.h"
#include "agent/discovery/listening_ports.h"
#include "agent/discovery/proc_scanner.h"
#include "agent/discovery/unit_restarts.h"
#include "agent/runtime/blocking_pool.h"
#include "agent/runtime/co.h"
#include "agent/runtime/paths.h"

namespace observeai::agent {

// Loop thread only. Everything given must outlive it.
class InventoryLoop final : public DiscoverySink {
 public:
  struct Options {
    Paths paths;
    std::chrono::milliseconds interval{5'000};
    std::string agent_version;
    bool docker_enabled = true;
  };
  // What the newest scans could not take in.
  struct LeftOut {
    std::uint32_t processes = 0;  // Beyond the limit, as the next two
    std::uint32_t ports = 0;
    std::uint32_t units = 0;
    std::uint32_t unreadable_processes = 0;  // Whose ports are therefore nobody's
  };
  using OnContainers = std::function<void(std::vector<ObservedContainer>)>;

  InventoryLoop(Loop& loop, AsyncClock& clock, BlockingPool& pool, Outbox& outbox, Options options,
                RedactText redact, OnContainers on_containers, const Shedding& shedding);

  // For ever; spawn both once.
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> report_news();

  void containers_changed(wire::SectionUpdate<ObservedContainer> update) override;
  void event(wire::Event event) override;
  void docker_status(std::string status) override;

  // The control plane has lost it: everything again.
  void resend();
  std::string digest() const;
  const wire::HostFacts& facts() const { return facts_; }
  // Of the newest scan of /proc.
  const std::vector<GroupUsage>& usage() const { return usage_; }
  const LeftOut& left_out() const { return left_out_; }
  std::size_t containers() const { return containers_.size(); }
  std::uint64_t scans() const { return scans_; }  // Finished ones
  bool is_late() const;                           // The next one should have ended long ago
  // Processes whose memory does not answer, see ProcScanner.
  std::vector<std::string> stuck() const { return processes_->stuck(); }
  // What the inventory could not take in, and restarts of units that were not told.
  std::uint64_t inventory_lost() const { return tracker_.lost() + unit_restarts_.left_out(); }

 private:
  static constexpr std::chrono::milliseconds kScanDeadline{10'000};
  static constexpr std::chrono::milliseconds kUnitsEvery{30'000};

  boost::asio::awaitable<void> scan_processes();
  boost::asio::awaitable<void> scan_units();
  void report();
  bool flush();
  void report_problem(const std::string& what, const Error& error);

  AsyncClock& clock_;
  BlockingPool& pool_;
  Outbox& outbox_;
  const Options options_;
  const OnContainers on_containers_;
  InventoryTracker tracker_;
  std::shared_ptr<ProcScanner> processes_;  // Shared with a scan that may hang
  std::shared_ptr<PortScanner> ports_;
  wire::HostFacts facts_;
  std::map<std::string, ObservedContainer> containers_;
  bool containers_changed_ = false;  // Since on_containers was told
  bool whole_wanted_ = false;
  Notifier news_;
  std::vector<GroupUsage> usage_;
  LeftOut left_out_;
  UnitRestarts unit_restarts_;
  const Shedding& shedding_;
  SteadyTime next_units_{};
  SteadyTime due_{};  // When the next scan begins
  std::uint64_t scans_ = 0;
  std::map<std::string, std::string> problems_;  // Last one told, by subject
};

}  // namespace observeai::agent
