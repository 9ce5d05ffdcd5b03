#include <dirent.h>
#include <unistd.h>

#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// What this process uses, and the values that other parts of the agent hand in.
class SelfCollector final : public Collector {
 public:
  explicit SelfCollector(const MetricRoots& roots)
      : statm_(roots.proc + "/self/statm"),
        stat_(roots.proc + "/self/stat"),
        descriptors_(roots.proc + "/self/fd") {}
  std::string_view name() const override { return "self"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    rows_.begin();
    for (const SelfValue& value : context.self) {
      Row* row = rows_.at(value.name);
      if (row != nullptr) sink.host(row->ref, {row->metric_name, value.kind}, value.value);
    }
    rows_.end();
    if (context.slow_turn) open_fds_ = count_descriptors();
    if (open_fds_ > 0) sink.host(refs_[0], gauge("observeai_agent_open_fds"), open_fds_);
    TRY_VOID(add_memory(context, sink));
    return add_cpu(context, sink);
  }

 private:
  struct Row {
    explicit Row(std::string_view key) : metric_name("observeai_agent_" + std::string(key)) {}
    std::string metric_name;
    SeriesRef ref;
  };

  double count_descriptors() const {
    DIR* folder = ::opendir(descriptors_.c_str());
    if (folder == nullptr) return 0;
    double count = 0;
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(folder);
    return count - 1;  // The one that reads the folder
  }

  Result<void> add_memory(CollectContext& context, SampleSink& sink) {
    const FileText content = statm_.read(context.files);
    if (!content) return unreadable(statm_.path(), content.error);
    WordScanner words(trimmed(content.text));
    std::uint64_t size = 0, resident = 0;
    if (next_u64(words, size) && next_u64(words, resident)) {
      sink.host(refs_[1], gauge("observeai_agent_resident_memory_bytes"),
                static_cast<double>(resident) * page_bytes_);
    } else {
      ++context.malformed;
    }
    return {};
  }

  Result<void> add_cpu(CollectContext& context, SampleSink& sink) {
    const FileText content = stat_.read(context.files);
    if (!content) return unreadable(stat_.path(), content.error);
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    const std::size_t end = content.text.rfind(')');
    WordScanner words(end == std::string_view::npos ? "" : content.text.substr(end + 1));
    std::string_view word;
    std::uint64_t user = 0, system = 0;
    for (int i = 0; i < 11; ++i) words.next(word);
    if (next_u64(words, user) && next_u64(words, system)) {
      sink.host(refs_[2], counter("observeai_agent_cpu_seconds_total"),
                static_cast<double>(user + system) / ticks_per_second_);
    } else {
      ++context.malformed;
    }
    return {};
  }

  KeptFile statm_, stat_;
  std::string descriptors_;
  double page_bytes_ = static_cast<double>(::sysconf(_SC_PAGESIZE));
  double ticks_per_second_ = static_cast<double>(::sysconf(_SC_CLK_TCK));
  double open_fds_ = 0;
  RowCache<Row> rows_;
  std::array<SeriesRef, 3> refs_;
};

}  // namespace

CollectorPtr make_self_collector(const MetricRoots& roots) {
  return std::make_unique<SelfCollector>(roots);
}

}  // namespace observeai::agent
