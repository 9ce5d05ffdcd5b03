#include "agent/app/sample_logs.h"

#include <map>
#include <string>
#include <utility>

namespace observeai::agent {

void sample_logs(LogCommit& commit, LogSampler& sampler, std::uint32_t keep_one_in) {
  if (keep_one_in <= 1) return;
  std::map<std::string, SourceCounts> dropped;
  std::erase_if(commit.records, [&](const wire::LogRecord& record) {
    if (sampler.keeps(record.text, keep_one_in)) return false;
    auto& counts = dropped["log/" + record.target];
    counts.source = "log/" + record.target;
    ++counts.records_dropped["sampled"];
    return true;
  });
  for (auto& [source, counts] : dropped) commit.counts.push_back(std::move(counts));
}

}  // namespace observeai::agent
