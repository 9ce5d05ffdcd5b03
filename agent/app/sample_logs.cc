#include "agent/app/sample_logs.h"

namespace observeai::agent {

void sample_logs(LogCommit& commit, LogSampler& sampler, std::uint32_t keep_one_in) {
  if (keep_one_in <= 1) return;
  std::map<std::string, SourceDelta> dropped;
  std::erase_if(commit.records, [&](const wire::LogRecord& record) {
    if (sampler.keeps(record.text, keep_one_in)) return false;
    auto& delta = dropped["log/" + record.target];
    delta.source = "log/" + record.target;
    ++delta.records_dropped["sampled"];
    return true;
  });
  for (auto& [source, delta] : dropped) commit.deltas.push_back(std::move(delta));
}

}  // namespace observeai::agent
