#include <unistd.h>

#include <algorithm>

#include "agent/metrics/container_parts.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

constexpr std::uint64_t kNoLimit = 1ULL << 62;  // v1 rounds 2^63 to pages

std::optional<std::uint64_t> read_number(KeptFile& file, CollectContext& context) {
  const FileText content = file.read(context.files);
  std::uint64_t value = 0;
  if (!content) return std::nullopt;
  if (to_u64(trimmed(content.text), value)) return value;
  ++context.malformed;
  return std::nullopt;
}

// Calls visit(name, value) for each line "name value".
template <class Visit>
bool read_flat(KeptFile& file, CollectContext& context, Visit visit) {
  const FileText content = file.read(context.files);
  if (!content) return false;
  LineScanner lines(content.text);
  std::string_view line, name;
  std::uint64_t value = 0;
  while (lines.next(line)) {
    if (parse_flat_line(line, name, value)) {
      visit(name, value);
    } else {
      ++context.malformed;
    }
  }
  return true;
}

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

// ---- CPU ----------------------------------------------------------------------------------------

ContainerCpu::ContainerCpu(const CgroupFolders& folders)
    : v1_usage_(!folders.cpuacct.empty()),
      v1_limits_(!folders.cpu.empty()),
      usage_(folders.cpuacct + "/cpuacct.usage"),
      times_(folders.cpuacct + "/cpuacct.stat"),
      stat_(folders.unified + "/cpu.stat"),
      limits_(folders.cpu + "/cpu.stat"),
      quota_file_(v1_limits_ ? folders.cpu + "/cpu.cfs_quota_us" : folders.unified + "/cpu.max"),
      period_file_(v1_limits_ ? folders.cpu + "/cpu.cfs_period_us" : ""),
      ticks_per_second_(static_cast<double>(::sysconf(_SC_CLK_TCK))) {}

bool ContainerCpu::look(const PartContext& context) {
  Reading reading;
  if (!v1_usage_) {
    read_v2(context, reading);
  } else if (const auto usage_ns = read_number(usage_, context.scrape)) {
    reading.usage_s = as_double(*usage_ns) / 1e9;
  }
  const bool rests = reading.usage_s && reading.usage_s == reading_.usage_s;
  reading_ = reading;
  return !rests;
}

bool ContainerCpu::collect(const PartContext& context) {
  Reading reading = reading_;
  if (v1_usage_) {
    read_v1(context, reading);
    if (!v1_limits_) read_v2(context, reading);
  }
  if (context.scrape.slow_turn || period_us_ == 0) read_quota(context);

  const auto add = [&](SeriesRef& ref, const Metric& metric, const auto& value) {
    if (value) context.add(ref, metric, static_cast<double>(*value));
  };
  add(refs_[0], counter("container_cpu_usage_seconds_total"), reading.usage_s);
  add(refs_[1], counter("container_cpu_user_seconds_total"), reading.user_s);
  add(refs_[2], counter("container_cpu_system_seconds_total"), reading.system_s);
  if (quota_us_ > 0) {
    add(refs_[3], counter("container_cpu_cfs_periods_total"), reading.periods);
    add(refs_[4], counter("container_cpu_cfs_throttled_periods_total"), reading.throttled_periods);
    add(refs_[5], counter("container_cpu_cfs_throttled_seconds_total"), reading.throttled_s);
    context.add(refs_[6], gauge("container_spec_cpu_quota"), as_double(quota_us_));
  }
  if (period_us_ > 0) {
    context.add(refs_[7], gauge("container_spec_cpu_period"), as_double(period_us_));
  }
  return reading.usage_s || reading.user_s || reading.system_s || reading.periods;
}

void ContainerCpu::read_v1(const PartContext& context, Reading& reading) {
  read_flat(times_, context.scrape, [&](std::string_view name, std::uint64_t ticks) {
    if (name == "user") reading.user_s = as_double(ticks) / ticks_per_second_;
    if (name == "system") reading.system_s = as_double(ticks) / ticks_per_second_;
  });
  if (!v1_limits_) return;
  read_flat(limits_, context.scrape, [&](std::string_view name, std::uint64_t value) {
    if (name == "nr_periods") reading.periods = value;
    if (name == "nr_throttled") reading.throttled_periods = value;
    if (name == "throttled_time") reading.throttled_s = as_double(value) / 1e9;
  });
}

void ContainerCpu::read_v2(const PartContext& context, Reading& reading) {
  read_flat(stat_, context.scrape, [&](std::string_view name, std::uint64_t value) {
    if (!v1_usage_ && name == "usage_usec") reading.usage_s = as_double(value) / 1e6;
    if (!v1_usage_ && name == "user_usec") reading.user_s = as_double(value) / 1e6;
    if (!v1_usage_ && name == "system_usec") reading.system_s = as_double(value) / 1e6;
    if (name == "nr_periods") reading.periods = value;
    if (name == "nr_throttled") reading.throttled_periods = value;
    if (name == "throttled_usec") reading.throttled_s = as_double(value) / 1e6;
  });
}

// v1: two files, -1 = no quota. v2: "max 100000" or "50000 100000".
void ContainerCpu::read_quota(const PartContext& context) {
  FileText content = context.scrape.files.read_once(quota_file_);
  if (!content) return;
  WordScanner words(trimmed(content.text));
  std::string_view word;
  const auto quota = words.next(word) ? parse_limit(word) : std::nullopt;
  quota_us_ = quota.value_or(0);
  if (v1_limits_) {
    content = context.scrape.files.read_once(period_file_);
    words = WordScanner(trimmed(content.text));
  }
  std::uint64_t period = 0;
  if (next_u64(words, period) && quota) {
    period_us_ = period;
  } else {
    ++context.scrape.malformed;
  }
}

// ---- Memory -------------------------------------------------------------------------------------

// Bytes unless said otherwise. What v1 and v2 call differently has one name here.
struct ContainerMemory::Reading {
  std::uint64_t usage = 0;
  std::optional<std::uint64_t> rss, cache, mapped, swap, kernel, active_file, inactive_file;
  std::optional<std::uint64_t> slab_reclaimable;              // v2
  std::optional<std::uint64_t> faults, major_faults;          // With child cgroups
  std::optional<std::uint64_t> own_faults, own_major_faults;  // v1 alone tells them apart
  std::optional<std::uint64_t> failcnt, oom_kills;
};

ContainerMemory::ContainerMemory(const CgroupFolders& folders)
    : v1_(!folders.memory.empty()),
      folder_(v1_ ? folders.memory : folders.unified),
      root_(folders.unified_root),
      usage_(folder_ + (v1_ ? "/memory.usage_in_bytes" : "/memory.current")),
      stat_(folder_ + "/memory.stat"),
      failures_(folder_ + (v1_ ? "/memory.failcnt" : "/memory.events")),
      oom_(folder_ + "/memory.oom_control"),
      swap_(folder_ + "/memory.swap.current"),
      kernel_(folder_ + "/memory.kmem.usage_in_bytes") {}

bool ContainerMemory::look(const PartContext& context) {
  const auto used = read_number(usage_, context.scrape);
  const bool same = used && used == used_;
  used_ = used;
  return !same;
}

bool ContainerMemory::collect(const PartContext& context) {
  if (!used_) return false;
  Reading reading;
  reading.usage = *used_;
  read_stat(context, reading);
  read_failures(context, reading);
  if (!v1_ && context.scrape.slow_turn) read_limit(context);

  context.add(refs_[0], gauge("container_memory_usage_bytes"), as_double(reading.usage));
  // As cAdvisor and the kubelet: usage without the page cache that is first to be reclaimed.
  const std::uint64_t inactive = reading.inactive_file.value_or(0);
  context.add(refs_[1], gauge("container_memory_working_set_bytes"),
              as_double(reading.usage > inactive ? reading.usage - inactive : 0));
  context.add(refs_[2], gauge("container_spec_memory_limit_bytes"), as_double(limit_));
  const auto add = [&](SeriesRef& ref, const Metric& metric, std::optional<std::uint64_t> value) {
    if (value) context.add(ref, metric, as_double(*value));
  };
  add(refs_[3], gauge("container_memory_rss"), reading.rss);
  add(refs_[4], gauge("container_memory_cache"), reading.cache);
  add(refs_[5], gauge("container_memory_swap"), reading.swap);
  add(refs_[6], gauge("container_memory_mapped_file"), reading.mapped);
  add(refs_[7], gauge("container_memory_kernel_usage"), reading.kernel);
  add(refs_[8], gauge("container_memory_total_active_file_bytes"), reading.active_file);
  add(refs_[9], gauge("container_memory_total_inactive_file_bytes"), reading.inactive_file);
  add(refs_[10], counter("container_memory_failcnt"), reading.failcnt);
  add(refs_[11], counter("container_oom_events_total"), reading.oom_kills);
  add(refs_[16], gauge("container_memory_slab_reclaimable_bytes"), reading.slab_reclaimable);
  if (limit_ > 0) add(refs_[17], gauge("container_spec_memory_swap_limit_bytes"), swap_limit_);
  const auto add_faults = [&](SeriesRef& ref, const char* type, const char* scope,
                              std::optional<std::uint64_t> value) {
    if (!value) return;
    context.add(ref, counter("container_memory_failures_total"),
                {{"failure_type", type}, {"scope", scope}}, as_double(*value));
  };
  add_faults(refs_[12], "pgfault", "hierarchy", reading.faults);
  add_faults(refs_[13], "pgmajfault", "hierarchy", reading.major_faults);
  add_faults(refs_[14], "pgfault", "container", v1_ ? reading.own_faults : reading.faults);
  add_faults(refs_[15], "pgmajfault", "container",
             v1_ ? reading.own_major_faults : reading.major_faults);
  return true;
}

void ContainerMemory::read_stat(const PartContext& context, Reading& reading) {
  struct Field {
    std::string_view v1, v2;
    std::optional<std::uint64_t> Reading::*member;
  };
  static constexpr std::array<Field, 10> kFields = {{
      {"total_rss", "anon", &Reading::rss},
      {"total_cache", "file", &Reading::cache},
      {"total_mapped_file", "file_mapped", &Reading::mapped},
      {"total_swap", "", &Reading::swap},
      {"", "kernel", &Reading::kernel},
      {"", "slab_reclaimable", &Reading::slab_reclaimable},
      {"total_active_file", "active_file", &Reading::active_file},
      {"total_inactive_file", "inactive_file", &Reading::inactive_file},
      {"total_pgfault", "pgfault", &Reading::faults},
      {"total_pgmajfault", "pgmajfault", &Reading::major_faults},
  }};
  read_flat(stat_, context.scrape, [&](std::string_view name, std::uint64_t value) {
    for (const Field& field : kFields) {
      if (name == (v1_ ? field.v1 : field.v2)) reading.*field.member = value;
    }
    if (!v1_) return;
    if (name == "pgfault") reading.own_faults = value;
    if (name == "pgmajfault") reading.own_major_faults = value;
    // v1 says itself what the smallest limit of all ancestors is.
    if (name == "hierarchical_memory_limit") limit_ = value >= kNoLimit ? 0 : value;
    // Memory and swap together, always after the line of memory alone.
    if (name == "hierarchical_memsw_limit") {
      swap_limit_ = value >= kNoLimit ? UINT64_MAX : value - std::min(value, limit_);
    }
  });
  if (v1_) reading.kernel = read_number(kernel_, context.scrape);
}

void ContainerMemory::read_failures(const PartContext& context, Reading& reading) {
  if (v1_) {
    reading.failcnt = read_number(failures_, context.scrape);
    read_flat(oom_, context.scrape, [&](std::string_view name, std::uint64_t value) {
      if (name == "oom_kill") reading.oom_kills = value;
    });
    return;
  }
  // "max": how often the usage was about to go over the limit, which is what v1's failcnt counts.
  read_flat(failures_, context.scrape, [&](std::string_view name, std::uint64_t value) {
    if (name == "max") reading.failcnt = value;
    if (name == "oom_kill") reading.oom_kills = value;
  });
  reading.swap = read_number(swap_, context.scrape);
}

// The smallest memory.max on the way to the root: a pod's limit counts for its containers. So it is with
// swap, of which "max" is UINT64_MAX and 0 is none, as cAdvisor says it.
void ContainerMemory::read_limit(const PartContext& context) {
  limit_ = 0;
  swap_limit_.reset();
  std::string folder = folder_;
  while (folder.size() > root_.size()) {
    const FileText swap = context.scrape.files.read_once(folder + "/memory.swap.max");
    std::uint64_t swap_limit = UINT64_MAX;
    if (swap && (to_u64(trimmed(swap.text), swap_limit) || trimmed(swap.text) == "max")) {
      swap_limit_ = std::min(swap_limit_.value_or(UINT64_MAX), swap_limit);
    }
    const FileText content = context.scrape.files.read_once(folder + "/memory.max");
    if (content) {
      const auto limit = parse_limit(content.text);
      if (!limit) ++context.scrape.malformed;
      if (limit && *limit > 0 && (limit_ == 0 || *limit < limit_)) limit_ = *limit;
    }
    folder.resize(folder.rfind('/'));
  }
}

}  // namespace observeai::agent
