// A store in a temporary folder, and batches for it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "controlplane/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/wire/batch_codec.h"
#include "tests/support/temp_dir.h"

namespace observeai::controlplane::store_test {

using model::CommitOutcome;
using wire::Lane;

inline AgentId agent_id(const std::string& name) {
  return AgentId::parse(name).value();
}
inline Epoch epoch_of(std::uint8_t number) {
  Epoch epoch;
  epoch.bytes.fill(number);
  return epoch;
}

struct StoreFixture {
  test::TempDir dir;
  ManualClock clock;
  StoreOptions options;
  std::unique_ptr<Store> store;

  StoreFixture() {
    options.directory = dir.path();
    reopen();
  }
  void reopen() {
    store.reset();
    auto opened = Store::open(options, clock);
    if (!opened) FAIL(opened.error().message());
    store = std::move(*opened);
  }
  CommitOutcome commit(const wire::Batch& batch) {
    auto outcome = store->writer().commit(batch);
    if (!outcome) FAIL(outcome.error().message());
    return *outcome;
  }
};

struct Origin {
  AgentId agent = agent_id("web-01");
  Epoch epoch = epoch_of(1);
};

inline wire::Batch batch_of(const Origin& origin, Lane lane, std::uint64_t seq, std::uint32_t n,
                            std::string body) {
  wire::Batch batch;
  batch.header.agent = origin.agent;
  batch.header.epoch = origin.epoch;
  batch.header.lane = lane;
  batch.header.seq = seq;
  batch.header.n = n;
  batch.body = std::move(body);
  return batch;
}

inline wire::Batch control_batch(const Origin& origin, std::uint64_t seq,
                                 const wire::ControlBatch& control) {
  return batch_of(origin, Lane::kControl, seq, 1, wire::encode_control(control).value());
}

inline wire::Batch series_batch(const Origin& origin, std::uint64_t seq, std::uint32_t first_id,
                                std::uint32_t count, const std::string& target = "host") {
  wire::ControlBatch control;
  for (std::uint32_t id = first_id; id < first_id + count; ++id) {
    control.series.push_back({id,
                              target,
                              "metric_" + std::to_string(id),
                              {{"cpu", std::to_string(id)}},
                              wire::MetricKind::kGauge});
  }
  return control_batch(origin, seq, control);
}

inline wire::Batch samples_batch(const Origin& origin, std::uint64_t seq, std::int64_t ts_ms,
                                 const std::vector<std::uint32_t>& ids, double value) {
  wire::SampleBatch samples;
  samples.scrapes.push_back({ts_ms, ids, std::vector<double>(ids.size(), value)});
  return batch_of(origin, Lane::kMetrics, seq, static_cast<std::uint32_t>(ids.size()),
                  wire::encode_samples(samples).value());
}

inline wire::LogRecord record_of(const std::string& target, std::int64_t ts_ms,
                                 const std::string& text) {
  wire::LogRecord record;
  record.target = target;
  record.ts_ns = ts_ms * 1'000'000;
  record.text = text;
  return record;
}

inline wire::Batch logs_batch(const Origin& origin, std::uint64_t seq,
                              const std::vector<wire::LogRecord>& records) {
  wire::LogBatch logs;
  logs.records = records;
  return batch_of(origin, Lane::kLogs, seq, static_cast<std::uint32_t>(records.size()),
                  wire::encode_logs(logs).value());
}

inline std::vector<std::string> texts_of(const std::vector<model::LogRow>& rows) {
  std::vector<std::string> texts;
  for (const auto& row : rows) texts.push_back(row.record.text);
  return texts;
}

}  // namespace observeai::controlplane::store_test
