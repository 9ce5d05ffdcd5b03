// Simulated agents for scripts/bench fleet and scripts/bench ingest.
//
//   bench_fleet_load enroll   STATE_DIR COUNT ROSTER
//   bench_fleet_load steady   ROSTER PORT AGENTS SECONDS SERIES SCRAPE_S LINES_PER_S LEDGER
//   bench_fleet_load saturate ROSTER PORT AGENTS samples|logs PER_BATCH BATCHES_PER_AGENT LEDGER
//   bench_fleet_load judge    STATE_DIR LEDGER
//   bench_fleet_load lines    COUNT
//
// Prints one JSON object a line: what happened, when (unix ms), and the measures.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "protocol/wire/batch_codec.h"
#include "tests/bench/load/crowd.h"
#include "tests/bench/load/ledger.h"
#include "tests/bench/load/workload.h"

namespace observeai::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kPatience(3);
const SystemClock kClock;

void tell(const char* event, const std::string& fields = "") {
  std::printf("{\"event\":\"%s\",\"ts_ms\":%lld%s}\n", event,
              static_cast<long long>(kClock.unix_ms()), fields.c_str());
  std::fflush(stdout);
}

std::string field(const char* name, double value) {
  return ",\"" + std::string(name) + "\":" + std::to_string(value);
}

double percentile(std::vector<float> values, double share) {
  if (values.empty()) return 0;
  const auto at = std::min(values.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

std::string measures_of(const Measures& m) {
  return field("batches_acked", static_cast<double>(m.batches_acked)) +
         field("samples_acked", static_cast<double>(m.samples_acked)) +
         field("log_records_acked", static_cast<double>(m.log_records_acked)) +
         field("log_bytes_acked", static_cast<double>(m.log_bytes_acked)) +
         field("bytes_sent", static_cast<double>(m.bytes_sent)) +
         field("batches_resent", static_cast<double>(m.batches_resent)) +
         field("connections_lost", static_cast<double>(m.connections_lost)) +
         field("ack_p50_ms", percentile(m.ack_ms, 0.50)) +
         field("ack_p99_ms", percentile(m.ack_ms, 0.99)) +
         field("ack_max_ms", percentile(m.ack_ms, 1.0)) + field("own_cpu_s", own_cpu_seconds());
}

// Inventory and series definitions: the first batch of lane 0.
Result<void> introduce(SimulatedAgent& agent, std::size_t series) {
  wire::ControlBatch control;
  control.inventory.push_back(
      make_inventory(agent.number(), "bench-" + std::to_string(agent.number()), kClock.unix_ms()));
  control.series = make_series(agent.number(), series);
  agent.set_inventory_digest(wire::inventory_digest(control.inventory.front()));
  agent.set_series_known(series);
  TRY(auto body, wire::encode_control(control));
  agent.offer(
      agent.seal(wire::Lane::kControl, static_cast<std::uint32_t>(series + 1), std::move(body)));
  return {};
}

Result<SealedBatch> samples_of(SimulatedAgent& agent, LedgerOfAgent& ledger, std::int64_t ts_ms) {
  wire::SampleBatch batch;
  batch.scrapes.push_back(make_scrape(agent.number(), ledger.series, ts_ms));
  ledger.scrape_times.push_back(ts_ms);
  TRY(auto body, wire::encode_samples(batch));
  return agent.seal(wire::Lane::kMetrics, static_cast<std::uint32_t>(ledger.series),
                    std::move(body));
}

Result<SealedBatch> logs_of(SimulatedAgent& agent, LedgerOfAgent& ledger, std::size_t lines,
                            std::int64_t ts_ns) {
  wire::LogBatch batch;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < lines; ++i) {
    batch.records.push_back(make_log_line(agent.number(), ++ledger.log_lines,
                                          ts_ns + static_cast<std::int64_t>(i) * 10'000));
    bytes += batch.records.back().text.size() + 1;
  }
  TRY(auto body, wire::encode_logs(batch));
  auto sealed = agent.seal(wire::Lane::kLogs, static_cast<std::uint32_t>(lines), std::move(body));
  sealed.log_bytes = static_cast<std::uint32_t>(bytes);
  return sealed;
}

struct Run {
  Roster roster;
  std::unique_ptr<Crowd> crowd;
  std::vector<LedgerOfAgent> ledger;
};

// Loads the roster, connects everybody and waits until all are introduced.
Result<Run> begin(const std::string& roster_file, std::uint16_t port, std::size_t count,
                  std::size_t series) {
  Run run;
  TRY(run.roster, load_roster(roster_file));
  // Its addresses are borrowed: the vector's storage moves along with `run`.
  TRY(run.crowd, Crowd::create(run.roster, count, port));
  for (auto& agent : run.crowd->agents()) {
    const auto& id = run.roster.agents[agent->number()].address.agent;
    run.ledger.push_back({agent->number(), id.value(), series, 0, {}});
    TRY_VOID(introduce(*agent, series));
  }
  tell("connecting");
  const auto begin = kClock.steady_now();
  run.crowd->connect_all();
  auto& crowd = *run.crowd;
  if (!crowd.run_until([&] { return crowd.live() == count; }, kPatience))
    return Error(Errc::kTimeout, std::to_string(crowd.live()) +
                                     " agents are live; last loss: " + crowd.measures().last_loss);
  const double connect_s = std::chrono::duration<double>(kClock.steady_now() - begin).count();
  if (!crowd.run_until([&] { return crowd.is_settled(); }, kPatience))
    return Error(Errc::kTimeout, "the first batches are not acknowledged");
  tell("live", field("connect_s", connect_s) +
                   field("first_losses", static_cast<double>(crowd.measures().connections_lost)));
  crowd.measures() = Measures();
  return run;
}

Result<void> finish(Run& run, const std::string& ledger_file) {
  auto& crowd = *run.crowd;
  const bool settled = crowd.run_until([&] { return crowd.is_settled(); }, kPatience);
  tell(settled ? "settled" : "unsettled", measures_of(crowd.measures()));
  return write_ledger(ledger_file, run.ledger);
}

// Every agent scrapes and logs on its own beat. Also tells when agents were lost and all are back.
Result<void> steady(int argc, char** argv) {
  if (argc != 10) return Error(Errc::kInvalid, "wrong number of arguments");
  const auto count = static_cast<std::size_t>(std::atoll(argv[4]));
  const seconds length(std::atoll(argv[5]));
  const auto scrape_every = milliseconds(static_cast<std::int64_t>(std::atof(argv[7]) * 1'000));
  const double lines_per_s = std::atof(argv[8]);
  const auto line_every = lines_per_s > 0
                              ? milliseconds(static_cast<std::int64_t>(1'000 / lines_per_s))
                              : milliseconds::max();
  TRY(auto run, begin(argv[2], static_cast<std::uint16_t>(std::atoi(argv[3])), count,
                      static_cast<std::size_t>(std::atoll(argv[6]))));
  struct Beat {
    SteadyTime scrape;
    SteadyTime line;
  };
  std::mt19937_64 random(1);
  std::vector<Beat> beats;
  const auto start = kClock.steady_now();
  for (std::size_t i = 0; i < count; ++i) {
    const auto phase = [&](milliseconds period) {
      return start + milliseconds(static_cast<std::int64_t>(
                         random() % static_cast<std::uint64_t>(period.count())));
    };
    beats.push_back({phase(scrape_every), lines_per_s > 0 ? phase(line_every) : SteadyTime::max()});
  }
  auto& crowd = *run.crowd;
  Result<void> failed;
  bool all_live = true;
  const auto beat = [&](SteadyTime now) {
    for (std::size_t i = 0; i < count; ++i) {
      auto& agent = *crowd.agents()[i];
      if (now >= beats[i].scrape) {
        beats[i].scrape += scrape_every;
        auto batch = samples_of(agent, run.ledger[i], kClock.unix_ms());
        if (!batch) failed = Result<void>(batch.error());
        if (batch) agent.offer(std::move(*batch));
      }
      if (now >= beats[i].line) {
        beats[i].line += line_every;
        auto batch = logs_of(agent, run.ledger[i], 1, to_unix_ns(kClock.wall_now()));
        if (!batch) failed = Result<void>(batch.error());
        if (batch) agent.offer(std::move(*batch));
      }
    }
    const bool now_live = crowd.live() == count;
    if (now_live != all_live) tell(now_live ? "all_live" : "lost_some");
    all_live = now_live;
  };
  tell("steady");
  crowd.run_until([&] { return kClock.steady_now() - start >= length || !failed; }, length * 2,
                  beat);
  TRY_VOID(failed);
  tell("end", measures_of(crowd.measures()));
  return finish(run, argv[9]);
}

// All batches are made and sealed before the clock starts.
Result<void> saturate(int argc, char** argv) {
  if (argc != 9) return Error(Errc::kInvalid, "wrong number of arguments");
  const auto count = static_cast<std::size_t>(std::atoll(argv[4]));
  const bool is_logs = std::string(argv[5]) == "logs";
  const auto per_batch = static_cast<std::size_t>(std::atoll(argv[6]));
  const auto batches = static_cast<std::size_t>(std::atoll(argv[7]));
  TRY(auto run, begin(argv[2], static_cast<std::uint16_t>(std::atoi(argv[3])), count,
                      is_logs ? 1 : per_batch));
  std::vector<std::vector<SealedBatch>> sealed(count);
  const std::int64_t first_ms = kClock.unix_ms();
  for (std::size_t i = 0; i < count; ++i) {
    auto& agent = *run.crowd->agents()[i];
    for (std::size_t k = 0; k < batches; ++k) {
      const std::int64_t ts_ms = first_ms + static_cast<std::int64_t>(k) * 1'000;
      TRY(auto batch, is_logs ? logs_of(agent, run.ledger[i], per_batch, ts_ms * 1'000'000)
                              : samples_of(agent, run.ledger[i], ts_ms));
      sealed[i].push_back(std::move(batch));
    }
  }
  const double cpu_before = own_cpu_seconds();
  tell("begin");
  const auto start = kClock.steady_now();
  for (std::size_t k = 0; k < batches; ++k) {
    for (std::size_t i = 0; i < count; ++i) run.crowd->agents()[i]->offer(std::move(sealed[i][k]));
  }
  auto& crowd = *run.crowd;
  const bool settled = crowd.run_until([&] { return crowd.is_settled(); }, kPatience);
  const double taken = std::chrono::duration<double>(kClock.steady_now() - start).count();
  tell("end", field("seconds", taken) + field("settled", settled ? 1 : 0) +
                  field("load_cpu_s", own_cpu_seconds() - cpu_before) +
                  measures_of(crowd.measures()));
  return write_ledger(argv[8], run.ledger);
}

Result<void> judge_store(int argc, char** argv) {
  if (argc != 4) return Error(Errc::kInvalid, "wrong number of arguments");
  TRY(const auto verdict, judge(argv[2], argv[3]));
  tell("verdict", field("samples", static_cast<double>(verdict.samples)) +
                      field("log_lines", static_cast<double>(verdict.log_lines)) +
                      field("lost", static_cast<double>(verdict.lost)) +
                      field("duplicated", static_cast<double>(verdict.duplicated)) +
                      field("damaged", static_cast<double>(verdict.damaged)));
  return {};
}

Result<void> print_lines(std::uint64_t count) {
  for (std::uint64_t number = 1; number <= count; ++number)
    std::printf("%s\n", make_log_line(0, number, 0).text.c_str());
  return {};
}

Result<void> run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "enroll" && argc == 5)
    return enroll_agents(argv[2], static_cast<std::size_t>(std::atoll(argv[3])), argv[4]);
  if (command == "steady") return steady(argc, argv);
  if (command == "saturate") return saturate(argc, argv);
  if (command == "judge") return judge_store(argc, argv);
  if (command == "lines" && argc == 3)
    return print_lines(static_cast<std::uint64_t>(std::atoll(argv[2])));
  return Error(Errc::kInvalid, "what it takes is at the top of fleet_load.cc");
}

}  // namespace
}  // namespace observeai::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // A broker that is killed is a connection lost, no more
  const auto done = observeai::bench::run(argc, argv);
  if (done) return 0;
  std::fprintf(stderr, "bench_fleet_load: %s\n", done.error().message().c_str());
  return 1;
}
