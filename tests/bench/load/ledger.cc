#include "tests/bench/load/ledger.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "controlplane/store/store.h"
#include "protocol/base/files.h"
#include "protocol/sql/packed.h"
#include "tests/bench/load/workload.h"

namespace observeai::bench {
namespace {

constexpr std::size_t kMaxFileBytes = 256U << 20;
constexpr std::size_t kPageRows = 20'000;

// Compares what was given out with what is there, as counted sets.
template <class Key>
void compare(const std::unordered_map<Key, std::uint64_t>& stored, const std::vector<Key>& wanted,
             Verdict& verdict) {
  std::uint64_t found = 0;
  for (const auto& key : wanted) {
    const auto at = stored.find(key);
    if (at == stored.end()) {
      ++verdict.lost;
      continue;
    }
    ++found;
    verdict.duplicated += at->second - 1;
  }
  verdict.damaged += stored.size() - found;
}

// One query for each target: each decodes all chunks of the agent.
Result<void> judge_samples(model::TelemetryReader& reader, const LedgerOfAgent& agent,
                           const AgentId& id, Verdict& verdict) {
  std::map<wire::Target, std::size_t> targets;  // With their number of series
  for (const auto& definition : make_series(agent.number, agent.series))
    ++targets[definition.target];
  for (const auto& [target, series] : targets) {
    model::SeriesQuery query;
    query.agent = id;
    query.target = target;
    TRY(const auto found, reader.points(query));
    for (const auto& one : found) {
      verdict.samples += one.points.size();
      std::unordered_map<std::int64_t, std::uint64_t> stored;
      for (const auto& point : one.points) ++stored[point.ts_ms];
      compare(stored, agent.scrape_times, verdict);
    }
    if (found.size() < series) verdict.lost += (series - found.size()) * agent.scrape_times.size();
  }
  return {};
}

Result<void> judge_logs(model::TelemetryReader& reader, const LedgerOfAgent& agent,
                        const AgentId& id, Verdict& verdict) {
  model::LogQuery query;
  query.agent = id;
  query.limit = kPageRows;
  query.newest = false;
  std::unordered_map<std::uint64_t, std::uint64_t> stored;
  for (;;) {
    TRY(const auto rows, reader.logs(query));
    // Pages by time: the last millisecond of a full page belongs to the next one.
    const bool is_last = rows.size() < kPageRows;
    const std::int64_t cut_ms = rows.empty() ? 0 : rows.back().record.ts_ns / 1'000'000;
    for (const auto& row : rows) {
      if (!is_last && row.record.ts_ns / 1'000'000 == cut_ms) continue;
      ++verdict.log_lines;
      const auto number = check_log_line(agent.number, row.record.text, row.record.ts_ns);
      if (number == 0) {
        ++verdict.damaged;
      } else {
        ++stored[number];
      }
    }
    if (is_last) break;
    if (query.range.since_ms == cut_ms)
      return Error(Errc::kLimit, "one millisecond does not fit into a page");
    query.range.since_ms = cut_ms;
  }
  std::vector<std::uint64_t> wanted(agent.log_lines);
  for (std::uint64_t i = 0; i < wanted.size(); ++i) wanted[i] = i + 1;
  compare(stored, wanted, verdict);
  return {};
}

Result<std::vector<LedgerOfAgent>> read_ledger(const std::string& file) {
  TRY(const auto bytes, files::read(file, kMaxFileBytes));
  std::vector<LedgerOfAgent> ledger;
  for (sql::Unpacker in(bytes); !in.done();) {
    LedgerOfAgent agent;
    TRY(agent.number, in.next_number());
    TRY(agent.id, in.next());
    TRY(agent.series, in.next_number());
    TRY(agent.log_lines, in.next_number());
    TRY(const auto times, in.next_number());
    for (std::uint64_t i = 0; i < times; ++i) {
      TRY(const auto time, in.next_number());
      agent.scrape_times.push_back(static_cast<std::int64_t>(time));
    }
    ledger.push_back(std::move(agent));
  }
  return ledger;
}

}  // namespace

Result<void> write_ledger(const std::string& file, const std::vector<LedgerOfAgent>& ledger) {
  sql::Packer out;
  for (const auto& agent : ledger) {
    out.add_number(agent.number);
    out.add(agent.id);
    out.add_number(agent.series);
    out.add_number(agent.log_lines);
    out.add_number(agent.scrape_times.size());
    for (const auto time : agent.scrape_times) out.add_number(static_cast<std::uint64_t>(time));
  }
  return files::write_atomic(file, out.take(), 0600);
}

Result<Verdict> judge(const std::string& state_dir, const std::string& ledger_file) {
  const SystemClock clock;
  TRY(const auto ledger, read_ledger(ledger_file));
  controlplane::StoreOptions options;
  options.directory = state_dir + "/store";
  TRY(const auto store, controlplane::Store::open(options, clock));
  Verdict verdict;
  for (const auto& agent : ledger) {
    TRY(const auto id, AgentId::parse(agent.id));
    TRY_VOID(judge_samples(store->reader(), agent, id, verdict));
    TRY_VOID(judge_logs(store->reader(), agent, id, verdict));
  }
  return verdict;
}

}  // namespace observeai::bench
