#include <memory>
#include <string>
#include <unordered_map>

#include "agent/metrics/container_parts.h"
#include "agent/metrics/host_collectors.h"

namespace observeai::agent {
namespace {

// A running container: what is kept while its main process stays the same.
struct Measured {
  Measured(const MetricRoots& roots, std::uint32_t main_pid, const CgroupFolders& folders)
      : pid(main_pid),
        cpu(folders),
        memory(folders),
        io(folders),
        pids(folders),
        pressure(folders),
        network(roots, main_pid) {}
  std::uint32_t pid;
  ContainerCpu cpu;
  ContainerMemory memory;
  ContainerIo io;
  ContainerPids pids;
  ContainerPressure pressure;
  ContainerNetwork network;
  RepeatedSamples samples;  // Of all parts but the network
};

struct Known {
  std::string target;
  std::unique_ptr<Measured> measured;  // Null while not running or not located
  bool present = false;
  std::array<SeriesRef, 3> refs;
};

class ContainerCollector final : public Collector {
 public:
  explicit ContainerCollector(const MetricRoots& roots) : roots_(roots), devices_(roots) {}
  std::string_view name() const override { return "containers"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    for (auto& [id, known] : known_) known.present = false;
    for (const ObservedContainer& container : context.containers) {
      Known& known = known_[container.facts.id];
      known.present = true;
      if (known.target.empty()) known.target = container_target(container.facts.id);
      collect_one(container.facts, known, context, sink);
    }
    std::erase_if(known_, [](const auto& entry) { return !entry.second.present; });
    return {};
  }

 private:
  void collect_one(const wire::Container& facts, Known& known, CollectContext& context,
                   SampleSink& sink) {
    const PartContext part{context, sink, known.target};
    part.add(known.refs[0], gauge("container_restart_count"), facts.restart_count);
    if (!ensure_measured(facts, known, context)) return;

    // A container that is new to us has its limits read whatever turn it is.
    Measured& measured = *known.measured;
    const bool slow_turn = context.slow_turn;
    if (measured_new_) {
      context.slow_turn = true;
      devices_.refresh(context);
    }
    const bool there = collect_parts(measured, part);
    measured.network.collect(part);
    context.slow_turn = slow_turn;
    if (!there) {
      known.measured = nullptr;  // Ended since it was listed; found again if it was only moved
      return;
    }
    if (facts.started_ms > 0) {
      part.add(known.refs[1], gauge("container_start_time_seconds"),
               static_cast<double>(facts.started_ms) / 1e3);
    }
    part.add(known.refs[2], gauge("container_last_seen"),
             static_cast<double>(context.now_ms) / 1e3);
  }

  // What used no CPU time and holds the memory that it held has done nothing: its other numbers are what
  // they were, unless something begun before still goes on. Whatever escapes this (the kernel writing
  // its pages to disk later, a changed limit) is seen at the next slow turn. The network counts also
  // what a container does not look at.
  bool collect_parts(Measured& measured, const PartContext& part) {
    const bool cpu_moved = measured.cpu.look(part);
    const bool memory_moved = measured.memory.look(part);
    const bool rests = !cpu_moved && !memory_moved && measured.samples.steady();
    if (rests && !part.scrape.slow_turn && measured.samples.repeat(part.sink)) return true;
    return collect_all(measured, part);
  }

  // False: none of its controllers can be read. Each alone may be missing from this machine or this
  // container.
  bool collect_all(Measured& measured, const PartContext& part) {
    PartContext noted = part;
    noted.record = &measured.samples;
    measured.samples.begin();
    const bool has_memory = measured.memory.collect(noted);
    const bool has_cpu = measured.cpu.collect(noted);
    measured.io.collect(noted, devices_);
    const bool has_pids = measured.pids.collect(noted);
    measured.pressure.collect(noted);
    measured.samples.end();
    return has_memory || has_cpu || has_pids;
  }

  bool ensure_measured(const wire::Container& facts, Known& known, CollectContext& context) {
    measured_new_ = false;
    if (facts.pid == 0) {
      known.measured = nullptr;
      return false;
    }
    if (known.measured != nullptr && known.measured->pid == facts.pid) return true;
    known.measured = nullptr;
    const auto folders =
        locate_cgroups(roots_, context.files, facts.pid, facts.id, context.malformed);
    if (!folders) return false;
    known.measured = std::make_unique<Measured>(roots_, facts.pid, *folders);
    measured_new_ = true;
    return true;
  }

  MetricRoots roots_;
  DeviceNames devices_;
  bool measured_new_ = false;
  std::unordered_map<std::string, Known> known_;
};

}  // namespace

CollectorPtr make_container_collector(const MetricRoots& roots) {
  return std::make_unique<ContainerCollector>(roots);
}

}  // namespace observeai::agent
