#include <doctest/doctest.h>

#include "agent/app/outbox_ledger.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

constexpr auto kLogs = wire::Lane::kLogs;
const LedgerKey kA{"log/a", kLogs};

wire::LedgerEntry entry_of(const std::string& source, std::uint64_t read) {
  wire::LedgerEntry entry;
  entry.source = source;
  entry.records_read = read;
  return entry;
}

std::vector<std::string> sources_to_report(const OutboxLedger& ledger) {
  std::vector<std::string> sources;
  for (const auto& entry : ledger.to_report()) sources.push_back(entry.source);
  return sources;
}

}  // namespace

TEST_CASE("an entry is reported once for each change") {
  OutboxLedger ledger;
  CHECK(ledger.entry("log/a", kLogs) == entry_of("log/a", 0));
  ledger.keep(entry_of("log/a", 1));
  ledger.keep(entry_of("log/b", 1));
  CHECK(sources_to_report(ledger) == std::vector<std::string>{"log/a", "log/b"});
  ledger.reported(1);
  CHECK(ledger.to_report().empty());
  ledger.keep(entry_of("log/b", 2));
  CHECK(sources_to_report(ledger) == std::vector<std::string>{"log/b"});
  CHECK(ledger.entry("log/b", kLogs).records_read == 2);
}

TEST_CASE("an entry leaves once its log is forgotten and its last counts are acknowledged") {
  OutboxLedger ledger;
  ledger.keep(entry_of("log/a", 1));
  ledger.forget_log("log/a");
  ledger.forget_log("log/never");
  CHECK(ledger.finished(100).empty());  // Not reported
  ledger.reported(7);
  CHECK(ledger.finished(7).empty());  // Not acknowledged
  CHECK(ledger.finished(8) == std::vector<LedgerKey>{kA});
  SUBCASE("and no sooner than what came since") {
    ledger.keep(entry_of("log/a", 2));
    ledger.forget_log("log/a");
    CHECK(ledger.finished(8).empty());
    ledger.reported(9);
    CHECK(ledger.finished(10) == std::vector<LedgerKey>{kA});
  }
  SUBCASE("but not when the log is back") {
    ledger.keep(entry_of("log/a", 2));
    ledger.reported(9);
    CHECK(ledger.finished(10).empty());
    return;
  }
  ledger.erase({kA});
  CHECK(ledger.size() == 0);
  CHECK(ledger.finished(100).empty());
}

TEST_CASE("an entry that the spool has not got is not reported") {
  OutboxLedger ledger;
  ledger.keep(entry_of("log/a", 1), false);
  ledger.keep(entry_of("log/b", 1));
  CHECK(sources_to_report(ledger) == std::vector<std::string>{"log/b"});
  ledger.reported(1);
  REQUIRE(ledger.unsaved().size() == 1);
  CHECK(ledger.unsaved()[0].source == "log/a");
  ledger.note_saved();
  CHECK(sources_to_report(ledger) == std::vector<std::string>{"log/a"});
  ledger.keep(entry_of("log/a", 2), false);
  ledger.keep(entry_of("log/a", 3));
  CHECK(ledger.unsaved().empty());
}

TEST_CASE("of an earlier run everything is reported, and logs without a checkpoint are forgotten") {
  OutboxLedger ledger;
  ledger.keep(entry_of("log/gone", 1));
  wire::LedgerEntry metrics = entry_of("metrics", 1);
  metrics.lane = wire::Lane::kMetrics;
  ledger.load({entry_of("log/a", 1), entry_of("log/b", 2), metrics}, {"log/b"});
  CHECK(sources_to_report(ledger) == std::vector<std::string>{"log/a", "log/b", "metrics"});
  CHECK(ledger.finished(100).empty());
  ledger.reported(1);
  CHECK(ledger.finished(2) == std::vector<LedgerKey>{kA});
}
