// A spool in mind: what must be there after any sequence of operations, crashes and faults.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <set>

#include "tests/unit/agent/spool/spool_fixture.h"

namespace observeai::agent::spool_test {

class SpoolModel {
 public:
  // One random operation on both. A refusal (kLimit, kUnavailable) changes nothing in mind; other
  // errors fail the test. False: it was refused.
  bool step(Spool& spool, std::mt19937_64& random) {
    const auto dice = random() % 100;
    if (dice < 40) return commit(spool, logs_unit(random));
    if (dice < 65) return commit(spool, scrape_unit(random));
    if (dice < 75) return commit(spool, control_unit(random));
    if (dice < 90) return acknowledge(spool, random);
    if (dice < 96) return set_fact(spool, random);
    if (dice < 98) return forget(spool);
    return begin_epoch(spool);
  }

  bool commit(Spool& spool, const CommitUnit& unit) {
    const auto given = spool.commit(unit);
    if (!given) return refused(given.error());
    for (std::size_t i = 0; i < given->size(); ++i) {
      const auto lane = static_cast<std::size_t>(unit.batches[i].lane);
      CHECK(given->at(i) == first_[lane] + bodies_[lane].size());
      bodies_[lane].push_back(unit.batches[i].body);
    }
    for (const auto& checkpoint : unit.checkpoints)
      checkpoints_[checkpoint.source] = checkpoint.state;
    for (const auto& definition : unit.new_series) series_.insert(definition.id);
    return true;
  }

  // Everything that can be asked. After a crash what was acknowledged may be there again.
  void check(Spool& spool, bool acknowledged_may_return) {
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      CAPTURE(lane);
      const auto batches = all_batches(spool, static_cast<wire::Lane>(lane));
      const std::uint64_t next = first_[lane] + bodies_[lane].size();
      CHECK(spool.state().next_seq[lane] == next);
      CHECK(spool.state().oldest_seq[lane] + batches.size() == next);
      if (!acknowledged_may_return) CHECK(batches.size() == bodies_[lane].size());
      REQUIRE(batches.size() >= bodies_[lane].size());
      for (std::size_t i = 0; i < bodies_[lane].size(); ++i) {
        const auto& batch = batches[batches.size() - bodies_[lane].size() + i];
        CHECK(batch.header.seq == first_[lane] + i);
        CHECK(is(batch, bodies_[lane][i]));
      }
    }
    std::map<std::string, std::string> checkpoints;
    const auto stored = spool.checkpoints().value();
    for (const auto& checkpoint : stored) checkpoints[checkpoint.source] = checkpoint.state;
    CHECK(checkpoints == checkpoints_);
    std::set<std::uint32_t> series;
    const auto definitions = spool.series().value();
    for (const auto& definition : definitions) series.insert(definition.id);
    CHECK(series == series_);
    CHECK(spool.next_series_id() >= next_series_);
    if (!fact_.empty()) CHECK(spool.fact("fact").value() == std::optional<std::string>(fact_));
  }

  // A crash amid faults: besides, a unit or an acknowledgement that was refused may have taken place.
  void check_crashed(Spool& spool) {
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      const auto batches = all_batches(spool, static_cast<wire::Lane>(lane));
      std::size_t at = 0;
      for (const auto& batch : batches) {
        if (at < bodies_[lane].size() && is(batch, bodies_[lane][at])) ++at;
      }
      CHECK(at == bodies_[lane].size());
    }
  }

  // What is gone by the time of `later` need not be there.
  void forget_acknowledged(const SpoolModel& later) {
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      while (bodies_[lane].size() > later.bodies_[lane].size()) bodies_[lane].pop_front();
    }
  }

  bool metrics_may_be_evicted = false;  // The disk was full

 private:
  bool is(const wire::Batch& batch, const std::string& body) const {
    if (batch.header.codec == wire::Codec::kZstd) return batch.body == body;
    return metrics_may_be_evicted && batch.header.lane == wire::Lane::kMetrics &&
           loss_in(batch).reason == wire::loss_reasons::kEvicted;
  }
  static bool refused(const Error& error) {
    if (error.code() == Errc::kLimit || error.code() == Errc::kUnavailable) return false;
    FAIL(error.message());
    return false;
  }
  std::string body(std::mt19937_64& random) {
    return std::to_string(++made_) + std::string(random() % 30'000, 'x');
  }
  // Sometimes with a batch of lane 0 beside it, sometimes with nothing but that.
  CommitUnit logs_unit(std::mt19937_64& random) {
    CommitUnit unit;
    const auto with = random() % 8;
    for (auto n = random() % 3 + 1; n > 0 && with != 0; --n)
      unit.batches.push_back(counted_batch(wire::Lane::kLogs, body(random), 2));
    if (with < 2) unit.batches.push_back(batch_of(wire::Lane::kControl, body(random)));
    unit.checkpoints = {{"file" + std::to_string(random() % 5), std::to_string(made_)}};
    return unit;
  }
  CommitUnit scrape_unit(std::mt19937_64& random) {
    CommitUnit unit;
    unit.batches.push_back(counted_batch(wire::Lane::kMetrics, body(random), 3));
    if (random() % 2 == 0) return unit;
    unit.batches.push_back(batch_of(wire::Lane::kControl, body(random)));
    unit.new_series = {{next_series_++, "host", "name", {}, wire::MetricKind::kGauge}};
    return unit;
  }
  CommitUnit control_unit(std::mt19937_64& random) {
    return unit_of(wire::Lane::kControl, body(random));
  }
  bool acknowledge(Spool& spool, std::mt19937_64& random) {
    std::array<std::uint64_t, wire::kLaneCount> upto{};
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane)
      upto[lane] = first_[lane] - 1 + random() % (bodies_[lane].size() + 1);
    // What lane 0 has not got yet from beside other data cannot have been sent.
    if (upto[0] >= first_[0]) {
      const auto sent = spool.read(wire::Lane::kControl, upto[0] - 1, 1, 1);
      if (!sent || sent->empty()) upto[0] = first_[0] - 1;
    }
    const auto done = spool.acknowledge(upto);
    if (!done) return refused(done.error());
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      while (first_[lane] <= upto[lane]) {
        bodies_[lane].pop_front();
        ++first_[lane];
      }
    }
    return true;
  }
  bool set_fact(Spool& spool, std::mt19937_64& random) {
    const std::string value = std::to_string(random());
    const auto done = spool.set_fact("fact", value);
    if (!done) return refused(done.error());
    fact_ = value;
    return true;
  }
  bool forget(Spool& spool) {
    if (series_.empty()) return true;
    const auto done = spool.forget_series({*series_.begin()});
    if (!done) return refused(done.error());
    series_.erase(series_.begin());
    return true;
  }
  bool begin_epoch(Spool& spool) {
    const auto done = spool.begin_epoch();
    if (!done) return refused(done.error());
    first_.fill(1);
    return true;
  }

  std::array<std::deque<std::string>, wire::kLaneCount> bodies_;
  std::array<std::uint64_t, wire::kLaneCount> first_{1, 1, 1, 1};
  std::map<std::string, std::string> checkpoints_;
  std::set<std::uint32_t> series_;
  std::uint32_t next_series_ = 1;
  std::string fact_;
  std::uint64_t made_ = 0;
};

}  // namespace observeai::agent::spool_test
