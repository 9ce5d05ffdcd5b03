// The promise of the transport, end to end: what the generator wrote is stored once or declared lost.
#include "tests/sim/transport_fixture.h"

using namespace observeai;
using namespace observeai::transport_test;

namespace {

void make_faulty(Site& site) {
  site.broker.faults.drop = 0.3;
  site.broker.faults.duplicate = 0.2;
  site.broker.faults.reorder = 0.3;
  site.delay = 0.2;
}

std::string verdict(Site& site) {
  return judge(site.written, site.perhaps, site.lost, site.stored());
}

// Something happens to the site, or the agent writes.
void live(Site& site, int steps, bool with_evictions) {
  for (int i = 0; i < steps; ++i) {
    for (auto& copy : site.copies) {
      if (site.random() % 2 == 0) copy->write(1 + site.random() % 4);
      if (site.random() % 10 == 0) copy->write_ledger();
      if (with_evictions && site.random() % 12 == 0) copy->evict_oldest();
    }
    site.step();
    if (site.random() % 40 == 0) site.restart_controlplane();
    if (site.random() % 60 == 0) {
      site.broker.kill();
      site.restart_controlplane();
    }
    if (site.random() % 50 == 0 && !site.copies.empty())
      site.copies[site.random() % site.copies.size()]->restart();
  }
}

std::size_t stored_of(const std::vector<std::string>& stored, const std::set<std::string>& lost) {
  return static_cast<std::size_t>(std::count_if(
      stored.begin(), stored.end(), [&](const std::string& text) { return !lost.contains(text); }));
}

}  // namespace

TEST_CASE("the oracle notices a loss and a duplicate") {
  CHECK(judge({"a", "b"}, {}, {}, {"a", "b"}).empty());
  Site site(1);
  auto& copy = site.add_copy("one", test::MemorySpool());
  for (int i = 0; i < 20; ++i) copy.write(2);
  site.drain();
  REQUIRE(verdict(site).empty());
  SUBCASE("a batch that leaves the spool without being told") {
    site.broker.faults.drop = 1;
    copy.write(3);
    site.step();
    const auto seq = copy.spool.state().next_seq[2] - 1;
    copy.spool.lose(wire::Lane::kLogs, seq, {wire::loss_reasons::kEvicted, {}});
    copy.write_ledger();
    site.drain();
    CHECK(verdict(site) == "lost: one 41");
    CHECK(site.ledger_row().verdict == model::LedgerVerdict::kGap);
  }
  SUBCASE("a batch that is stored under two numbers") {
    site.broker.faults.drop = 1;
    copy.write(1);
    site.step();
    auto again = copy.spool.read(wire::Lane::kLogs, 20, 1, 1).value().at(0);
    again.header.agent = site.address.agent;
    again.header.seq = 99;
    REQUIRE(site.store->writer().commit(again));
    site.drain();
    CHECK(verdict(site) == "stored twice: one 41");
  }
}

TEST_CASE(
    "30 % loss, doubles, disorder, restarts and evictions: written = stored + lost, exactly") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    make_faulty(site);
    auto& copy = site.add_copy("one", test::MemorySpool());
    live(site, 300, true);
    site.drain();
    copy.write_ledger();
    site.drain();
    CHECK(verdict(site) == "");
    const auto row = site.ledger_row();
    CHECK(row.verdict == model::LedgerVerdict::kBalanced);
    // What was evicted on the host after it had arrived is stored, not lost: only one of the two counts.
    const auto counted = row.records_lost.count("evicted") > 0 ? row.records_lost.at("evicted") : 0;
    CHECK(row.records_stored == site.stored().size());
    CHECK(row.records_stored + counted == site.written.size());
    CHECK(counted <= site.lost.size());
    CHECK(counted > 0);
    CHECK(copy.spool.counters().epochs_begun == 0);
    CHECK(site.pipeline->counters().refused.count("conflict") == 0);
  }
}

TEST_CASE("two clones of one spool, both alive: nothing is lost, nothing is stored twice") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    auto& first = site.add_copy("first", test::MemorySpool());
    live(site, 30, false);
    make_faulty(site);
    site.broker.faults.drop = 1;
    for (int i = 0; i < 20; ++i) first.write(2);  // Pending on both disks
    site.add_copy("second", first.spool);
    if (seed % 2 == 0) site.broker.faults.drop = 0.3;
    for (auto& copy : site.copies)
      for (int i = 0; i < 5; ++i) copy->write(1);
    site.broker.faults.drop = 0.3;
    live(site, 200, false);
    site.drain();
    for (auto& copy : site.copies) copy->write(1);
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(site.stored().size() == site.written.size());
    int begun = 0;
    for (const auto& copy : site.copies) begun += copy->spool.counters().epochs_begun;
    CHECK(begun >= 1);
    CHECK(begun <= 4);
  }
}

TEST_CASE("a clone of a clone, with a backlog on each") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    make_faulty(site);
    auto& first = site.add_copy("first", test::MemorySpool());
    live(site, 40, false);
    auto& second = site.add_copy("second", first.spool);
    for (int i = 0; i < 400; ++i) {  // More than a hello tells
      first.write(1);
      second.write(1);
    }
    live(site, 20, false);
    site.add_copy("third", second.spool);
    live(site, 100, false);
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(site.stored().size() == site.written.size());
  }
}

TEST_CASE("a snapshot that is restored, once and twice: what its disk has arrives once") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    make_faulty(site);
    site.delay = 0;  // What a dead host said seconds ago looks like a host that lives
    site.add_copy("original", test::MemorySpool());
    live(site, 60, false);
    const test::MemorySpool snapshot = site.copies[0]->spool;
    live(site, 120, false);
    for (int times = 1; times <= 2; ++times) {
      site.remove_copy(*site.copies[0]);
      auto& restored = site.add_copy("restored-" + std::to_string(times), snapshot);
      // Some hosts write before they are connected, some do not.
      if (seed % 2 == 0)
        for (int i = 0; i < 5; ++i) restored.write(2);
      live(site, 120, false);
    }
    site.drain();
    site.copies[0]->write(2);
    site.drain();
    site.copies[0]->write_ledger();
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(site.copies[0]->spool.counters().epochs_begun >= 1);
    const auto open = site.alerts.open().value();
    CHECK(std::any_of(open.begin(), open.end(),
                      [](const auto& alert) { return alert.kind == "agent.restored"; }));
    CHECK(std::none_of(open.begin(), open.end(),
                       [](const auto& alert) { return alert.kind == "agent.clone"; }));
    CHECK(site.ledger_row().verdict == model::LedgerVerdict::kBalanced);
  }
}

TEST_CASE(
    "a host resumed with its memory, nonce and hello numbers of the past: answered, and forked") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    auto& original = site.add_copy("original", test::MemorySpool());
    const auto nonce = original.uplink->session_nonce();
    const auto write_for = [&](int steps) {
      for (int i = 0; i < steps; ++i) {
        if (site.random() % 2 == 0) site.copies[0]->write(1 + site.random() % 4);
        site.step();
      }
    };
    write_for(20);
    const test::MemorySpool snapshot = original.spool;
    for (int i = 0; i < 200; ++i) {
      site.pipeline->ask_for_hellos();
      write_for(5);
    }
    site.remove_copy(original);
    auto& resumed = site.add_copy("resumed", snapshot);
    if (seed % 2 == 0) resumed.write(2);
    resumed.resume(nonce);
    if (seed % 4 < 2) {
      site.broker.faults.drop = 0.3;
      site.broker.faults.duplicate = 0.2;
    }
    write_for(5 * 60);
    CHECK(resumed.uplink->state() == agent::UplinkState::kLive);
    site.drain();
    CHECK(resumed.spool.counters().epochs_begun == 1);
    resumed.write_ledger();
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(site.pipeline->counters().refused.at("replayed") > 0);
    const auto open = site.alerts.open().value();
    CHECK(std::any_of(open.begin(), open.end(),
                      [](const auto& alert) { return alert.kind == "agent.restored"; }));
    CHECK(site.ledger_row().verdict == model::LedgerVerdict::kBalanced);
  }
}

// What a broker can do with hellos that it kept: deliver them when ingest has forgotten whom it knows.
TEST_CASE("hellos that the broker kept are delivered again after restarts: no spool is a copy") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    std::vector<mqtt::Message> kept;
    site.broker.faults.drop_if = [&](const mqtt::Message& message) {
      if (message.topic.ends_with("/up/hello")) kept.push_back(message);
      return false;
    };
    auto& copy = site.add_copy("one", test::MemorySpool());
    for (int round = 0; round < 40; ++round) {
      for (int i = 0; i < 3; ++i) copy.write(2);
      site.step();
      if (site.random() % 4 == 0) copy.restart();
      if (site.random() % 3 == 0) site.restart_controlplane();
      if (site.random() % 3 == 0) site.pipeline->ask_for_hellos();
      const auto old = kept;
      for (const auto& message : old) {
        if (site.random() % 2 == 0) site.broker.inject(message);
        if (site.random() % 4 == 0) site.step();
      }
    }
    site.broker.faults.drop_if = nullptr;
    site.drain();
    copy.write_ledger();
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(copy.spool.counters().epochs_begun == 0);
    CHECK(site.alerts.open().value().empty());
    CHECK(site.ledger_row().verdict == model::LedgerVerdict::kBalanced);
  }
}

TEST_CASE("evictions and a restored snapshot together: stored or declared, never neither") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Site site(seed);
    make_faulty(site);
    site.add_copy("original", test::MemorySpool());
    live(site, 60, true);
    const test::MemorySpool snapshot = site.copies[0]->spool;
    live(site, 40, true);
    site.remove_copy(*site.copies[0]);
    site.add_copy("restored", snapshot);
    live(site, 80, true);
    site.drain();
    CHECK(verdict(site) == "");
    CHECK(stored_of(site.stored(), site.lost) > 0);
  }
}
