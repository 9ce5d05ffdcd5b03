#include "agent/app/inventory_loop.h"

#include "agent/discovery/host_facts.h"
#include "agent/discovery/systemd_units.h"
#include "protocol/base/log.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

struct HostScan {
  ProcScan processes;
  PortScan ports;
};

}  // namespace

InventoryLoop::InventoryLoop(Loop& loop, AsyncClock& clock, BlockingPool& pool, Outbox& outbox,
                             Options options, RedactText redact, OnContainers on_containers,
                             const Shedding& shedding)
    : clock_(clock),
      pool_(pool),
      outbox_(outbox),
      options_(std::move(options)),
      on_containers_(std::move(on_containers)),
      processes_(std::make_shared<ProcScanner>(options_.paths, std::move(redact))),
      ports_(std::make_shared<PortScanner>(options_.paths, own_namespace())),
      facts_(host_facts(options_.paths, signing::sha256_hex)),
      news_(loop),
      shedding_(shedding) {
  facts_.agent_version = options_.agent_version;
  facts_.docker = options_.docker_enabled ? "starting" : "disabled";
  facts_.systemd = "not running";
  tracker_.set_host(facts_);
  if (!options_.docker_enabled) {
    wire::SectionUpdate<ObservedContainer> none;
    none.full = true;
    tracker_.apply_containers(none);
  }
}

boost::asio::awaitable<void> InventoryLoop::run() {
  for (;;) {
    co_await scan_processes();
    if (clock_.steady_now() >= next_units_) {
      next_units_ = clock_.steady_now() + kUnitsEvery;
      co_await scan_units();
    }
    report();
    due_ = clock_.steady_now() + std::max(options_.interval, shedding_.least_scan_interval);
    co_await clock_.sleep_until(due_);
  }
}

bool InventoryLoop::is_late() const {
  return clock_.steady_now() > due_ + kScanDeadline;
}

// What came in one turn of the loop is one commit: each costs the disk a flush.
boost::asio::awaitable<void> InventoryLoop::report_news() {
  for (;;) {
    co_await news_.wait_until(clock_, SteadyTime::max());
    if (std::exchange(containers_changed_, false)) {
      std::vector<ObservedContainer> all;
      all.reserve(containers_.size());
      for (const auto& [id, container] : containers_) all.push_back(container);
      on_containers_(std::move(all));
    }
    report();
  }
}

boost::asio::awaitable<void> InventoryLoop::scan_processes() {
  std::function<Result<HostScan>()> work = [processes = processes_, ports = ports_,
                                            now = clock_.steady_now()]() -> Result<HostScan> {
    HostScan scan;
    scan.processes = processes->scan();
    scan.ports = ports->scan(scan.processes.processes, now);
    return scan;
  };
  auto scan = co_await pool_.run<HostScan>("/proc", kScanDeadline, std::move(work));
  if (!scan) {
    report_problem("processes", scan.error());
    co_return;
  }
  problems_.erase("processes");
  ++scans_;
  usage_ = std::move(scan->processes.usage);
  left_out_.processes = scan->processes.over_limit;
  left_out_.ports = scan->ports.over_limit;
  left_out_.unreadable_processes = scan->ports.unreadable_processes;
  tracker_.set_processes(std::move(scan->processes.groups));
  tracker_.set_ports(std::move(scan->ports.ports));
}

boost::asio::awaitable<void> InventoryLoop::scan_units() {
  std::function<Result<SystemdState>()> work = [paths = options_.paths] {
    return read_systemd(paths, {});
  };
  auto state = co_await pool_.run<SystemdState>("systemd", kScanDeadline, std::move(work));
  if (!state) {
    report_problem("systemd", state.error());
    facts_.systemd = "error: " + log::printable(state.error().message());
  } else {
    problems_.erase("systemd");
    facts_.systemd = state->version;
    left_out_.units = state->over_limit;
    for (auto& event : unit_restarts_.look(state->units, clock_.unix_ms()))
      outbox_.add_event(std::move(event));
    tracker_.set_units(std::move(state->units));
  }
  tracker_.set_host(facts_);
}

void InventoryLoop::containers_changed(wire::SectionUpdate<ObservedContainer> update) {
  tracker_.apply_containers(update);
  if (update.full) containers_.clear();
  for (const auto& id : update.removed) containers_.erase(id);
  for (auto& container : update.upserts) {
    auto& slot = containers_[container.facts.id];
    slot = std::move(container);
  }
  containers_changed_ = true;
  news_.notify();
}

void InventoryLoop::event(wire::Event event) {
  outbox_.add_event(std::move(event));
  news_.notify();
}

void InventoryLoop::docker_status(std::string status) {
  if (facts_.docker == status) return;
  log::info("docker: " + log::printable(status));
  facts_.docker = std::move(status);
  tracker_.set_host(facts_);
  news_.notify();
}

void InventoryLoop::resend() {
  whole_wanted_ = true;
  news_.notify();
}

std::string InventoryLoop::digest() const {
  return wire::inventory_digest(tracker_.whole());
}

void InventoryLoop::report() {
  // While a part waits for room in the spool, changes gather in the tracker, which is bounded.
  if (outbox_.inventory_waits() && !flush()) return;
  const auto now_ms = clock_.unix_ms();
  outbox_.add_inventory(std::exchange(whole_wanted_, false) ? tracker_.take_whole(now_ms)
                                                            : tracker_.take_delta(now_ms));
  flush();
}

bool InventoryLoop::flush() {
  const auto flushed = outbox_.flush();
  if (flushed) {
    problems_.erase("spool");
  } else {
    report_problem("spool", flushed.error());
  }
  return flushed.has_value();
}

void InventoryLoop::report_problem(const std::string& what, const Error& error) {
  auto& last = problems_[what];
  if (last == error.message()) return;
  last = error.message();
  log::warning(what + ": " + error.message());
}

}  // namespace observeai::agent
