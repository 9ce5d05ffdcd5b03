#include "agent/journal/journal_source.h"

#include <doctest/doctest.h>

#include "agent/logs/redactor.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

const std::string kChain(32, 'a');

struct Fixture {
  ManualClock clock;
  Redactor redactor;
  std::uint64_t next_number = 1;
  std::vector<SourceCheckpoint> stored;  // As the spool would keep them

  JournalSource source;

  explicit Fixture(JournalOptions options = {}) : source(make(std::move(options))) {}

  JournalSource make(JournalOptions options) {
    return JournalSource(
        clock,
        [this](std::string_view text, std::uint32_t& left, std::string& out) {
          return redactor.redact_line(text, left, out);
        },
        std::move(options));
  }

  JournalEntry entry(std::string message, const std::string& unit = "web.service") {
    JournalEntry out;
    out.cursor.chain = kChain;
    out.cursor.boot = std::string(32, 'b');
    out.cursor.number = next_number++;
    out.cursor.realtime_us = static_cast<std::uint64_t>(clock.unix_ms()) * 1000;
    out.message_bytes = message.size();
    out.message = std::move(message);
    out.has_message = true;
    out.priority = 6;
    out.pid = 42;
    out.unit = unit;
    out.identifier = "prog";
    out.transport = "stdout";
    return out;
  }
  JournalEntry piece(std::string message, bool is_partial, char id = 'c') {
    auto out = entry(std::move(message), "docker.service");
    out.container_id = std::string(64, id);
    out.is_root = true;
    out.is_partial = is_partial;
    return out;
  }

  LogCommit take(std::vector<JournalEntry> entries, bool at_end = true) {
    JournalRead read;
    read.entries = std::move(entries);
    read.at_end = at_end;
    return source.take(read);
  }
  LogCommit commit(std::vector<JournalEntry> entries, bool at_end = true) {
    auto batch = take(std::move(entries), at_end);
    for (const auto& checkpoint : batch.checkpoints) {
      std::erase_if(stored, [&](const auto& one) { return one.source == checkpoint.source; });
      stored.push_back(checkpoint);
    }
    for (const auto& gone : batch.forgotten_sources)
      std::erase_if(stored, [&](const auto& one) { return one.source == gone; });
    source.committed();
    return batch;
  }
  bool has_stored(const std::string& name) const {
    return std::any_of(stored.begin(), stored.end(),
                       [&](const auto& one) { return one.source == name; });
  }
};

const SourceCounts* counts_of(const LogCommit& batch, const std::string& source) {
  for (const auto& counts : batch.counts) {
    if (counts.source == source) return &counts;
  }
  return nullptr;
}

}  // namespace

TEST_CASE(
    "an entry becomes a record of its unit, with its time, and the place is committed with it") {
  Fixture f;
  auto one = f.entry("hello");
  one.cursor.realtime_us = 1'700'000'123'456'789;
  const auto batch =
      f.commit({one, f.entry("two\nlines\n"), f.entry("from cron", "session-1.scope")});
  REQUIRE(batch.records.size() == 3);
  CHECK(batch.records[0].target == "unit/web.service");
  CHECK(batch.records[0].text == "hello");
  CHECK(batch.records[0].ts_ns == 1'700'000'123'456'789'000);
  CHECK(batch.records[1].text == "two\nlines");
  CHECK(batch.records[2].target == "host");
  CHECK(batch.records[2].text == "prog[42]: from cron");
  const auto* counts = counts_of(batch, "log/unit/web.service");
  REQUIRE(counts != nullptr);
  CHECK(counts->records_read == 2);
  CHECK(counts->bytes_read == 15);
  CHECK(f.has_stored("log/journal"));
  CHECK(f.has_stored("log/unit/web.service"));
  CHECK(f.has_stored("log/host"));

  auto again = f.make({});
  again.restore(f.stored);
  CHECK(again.position() == f.source.position());
  CHECK(again.position().after->number == 3);
  CHECK(again.target_count() == 2);
}

TEST_CASE("the first start reads the last minutes only, and remembers where it began") {
  JournalOptions options;
  options.backfill = std::chrono::minutes(3);
  Fixture f(options);
  const auto since = static_cast<std::uint64_t>(f.clock.unix_ms() - 180'000) * 1000;
  CHECK(f.source.position().since_us == since);
  f.commit({});
  f.clock.advance(std::chrono::hours(1));
  auto again = f.make(options);
  again.restore(f.stored);
  CHECK(again.position().since_us == since);
}

TEST_CASE("a commit that failed is as if nothing had been read") {
  Fixture f;
  f.commit({f.entry("first")});
  const auto place = f.source.position();
  const auto entry = f.entry("second", "new.service");
  const auto failed = f.take({entry});
  f.source.rollback();
  CHECK(f.source.position() == place);
  CHECK(f.source.target_count() == 1);
  const auto batch = f.commit({entry});
  CHECK(batch.records == failed.records);
  CHECK(f.has_stored("log/unit/new.service"));
}

TEST_CASE("units by pattern, priority, and nothing of the agent's own debugging") {
  JournalOptions options;
  options.include = {"web*", "kernel", "prog"};
  options.exclude = {"web-debug.service"};
  options.max_priority = 6;
  options.own_pid = 77;
  options.own_unit = "web-agent.service";
  Fixture f(options);
  auto debug = f.entry("too detailed");
  debug.priority = 7;
  auto kernel = f.entry("oops", "");
  kernel.transport = "kernel";
  auto own_debug = f.entry("mine", "web-agent.service");
  own_debug.priority = 7;
  const auto batch =
      f.commit({f.entry("a"), f.entry("b", "db.service"), f.entry("c", "web-debug.service"), debug,
                kernel, f.entry("d", ""), own_debug});
  std::vector<std::string> texts;
  for (const auto& record : batch.records) texts.push_back(record.text);
  CHECK(texts == std::vector<std::string>{"a", "kernel: oops", "prog[42]: d"});
  std::uint64_t read = 0;
  for (const auto& counts : batch.counts) read += counts.records_read;
  CHECK(read == 3);
}

TEST_CASE("the agent's own lines cannot feed on themselves") {
  JournalOptions options;
  options.own_pid = 42;
  Fixture f(options);
  std::vector<JournalEntry> entries;
  for (std::uint32_t i = 0; i < JournalSource::kOwnLinesPerMinute + 10; ++i)
    entries.push_back(f.entry("own line"));
  const auto batch = f.commit(entries);
  CHECK(batch.records.size() == JournalSource::kOwnLinesPerMinute);
  const auto* counts = counts_of(batch, "log/unit/web.service");
  REQUIRE(counts != nullptr);
  CHECK(counts->records_read == JournalSource::kOwnLinesPerMinute + 10);
  CHECK(counts->records_dropped.at("own_limit") == 10);
  f.clock.advance(std::chrono::minutes(1));
  CHECK(f.commit({f.entry("next minute")}).records.size() == 1);
}

TEST_CASE("a place without records is stored now and then, not with each entry left out") {
  JournalOptions options;
  options.exclude = {"*"};
  Fixture f(options);
  f.commit({});
  CHECK(f.commit({f.entry("left out")}).empty());
  CHECK(f.source.position().after->number == 1);
  f.clock.advance(JournalSource::kStoreAfter);
  const auto batch = f.commit({f.entry("left out")});
  CHECK(batch.checkpoints.size() == 1);
  CHECK(batch.records.empty());
}

TEST_CASE("secrets, private keys line by line and in one entry") {
  Fixture f;
  const std::string body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
  const auto batch =
      f.commit({f.entry("login password=hunter2secret ok"), f.entry("-----BEGIN PRIVATE KEY-----"),
                f.entry(body), f.entry(body + "\n" + body), f.entry("-----END PRIVATE KEY-----"),
                f.entry("harmless")});
  REQUIRE(batch.records.size() == 6);
  for (const auto& record : batch.records) {
    CHECK(record.text.find("hunter2") == std::string::npos);
    CHECK(record.text.find("MIIEvQ") == std::string::npos);
  }
  CHECK((batch.records[0].flags & wire::log_flags::kRedacted) != 0);
  CHECK(batch.records[5].text == "harmless");
}

TEST_CASE("a key block goes on over a restart") {
  Fixture f;
  const std::string body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
  f.commit({f.entry("-----BEGIN PRIVATE KEY-----")});
  auto again = f.make({});
  again.restore(f.stored);
  JournalRead read;
  read.entries = {f.entry(body)};
  const auto batch = again.take(read);
  REQUIRE(batch.records.size() == 1);
  CHECK(batch.records[0].text.find("MIIEvQ") == std::string::npos);
}

TEST_CASE("key blocks without an end never make the checkpoint unreadable") {
  Fixture f;
  const std::string body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
  const auto unit = [](std::size_t i) { return "u" + std::to_string(i) + ".service"; };
  const auto stored_state = [&f] {
    for (const auto& one : f.stored) {
      if (one.source == kJournalSource) return parse_journal_state(one.state);
    }
    return Result<JournalState>(Error(Errc::kNotFound, "no checkpoint"));
  };
  for (std::size_t i = 0; i < kMaxOpenKeyBlocks; ++i)
    f.commit({f.entry("-----BEGIN PRIVATE KEY-----", unit(i))});
  CHECK(stored_state().value().key_lines.size() == kMaxOpenKeyBlocks);
  // The first one goes on; the second one was quiet for longest.
  f.commit({f.entry(body, unit(0))});
  f.commit({f.entry("-----BEGIN PRIVATE KEY-----", "late.service")});
  const auto state = stored_state();
  REQUIRE(state);
  CHECK(state->key_lines.size() == kMaxOpenKeyBlocks);
  CHECK(state->key_lines.contains("unit/" + unit(0)));
  CHECK_FALSE(state->key_lines.contains("unit/" + unit(1)));
  CHECK(state->key_lines.contains("unit/late.service"));

  auto again = f.make({});
  again.restore(f.stored);
  JournalRead read;
  read.entries = {f.entry(body, unit(0)), f.entry(body, "late.service")};
  const auto batch = again.take(read);
  CHECK(batch.events.empty());
  REQUIRE(batch.records.size() == 2);
  for (const auto& record : batch.records) CHECK(record.text.find("MIIEvQ") == std::string::npos);
}

TEST_CASE("a message over the limit is cut, and says how long it was") {
  Fixture f;
  auto at_limit = f.entry(std::string(kMaxJournalText, 'x'));
  auto over = f.entry(std::string(kMaxJournalText + 1, 'x'));
  const auto batch = f.commit({at_limit, over});
  CHECK(batch.records[0].flags == 0);
  CHECK(batch.records[1].flags == wire::log_flags::kTruncated);
  CHECK(batch.records[1].text.size() == kMaxJournalText);
  CHECK(batch.records[1].original_bytes == kMaxJournalText + 1);
}

TEST_CASE("entries without a message or with damaged data are counted") {
  Fixture f;
  auto silent = f.entry("");
  silent.has_message = false;
  auto damaged = f.entry("");
  damaged.unreadable = true;
  const auto batch = f.commit({silent, damaged});
  CHECK(batch.records.empty());
  CHECK(counts_of(batch, "log/unit/web.service")->records_dropped.at("no_message") == 1);
  CHECK(counts_of(batch, "log/journal")->records_dropped.at("unreadable") == 1);
}

TEST_CASE("what vacuum took is counted as read and dropped, and reported") {
  Fixture f;
  f.commit({f.entry("one")});
  f.next_number = 50;
  JournalRead read;
  read.entries = {f.entry("fifty")};
  read.at_end = true;
  CHECK(f.source.wants_second_look(read));
  const auto batch = f.source.take(read);
  const auto* counts = counts_of(batch, "log/journal");
  REQUIRE(counts != nullptr);
  CHECK(counts->records_read == 48);
  CHECK(counts->records_dropped.at("never_read") == 48);
  REQUIRE(batch.events.size() == 1);
  CHECK(batch.events[0].kind == "logs.gap");
  f.source.committed();
  JournalRead next;
  next.entries = {f.entry("fifty-one")};
  CHECK_FALSE(f.source.wants_second_look(next));
}

TEST_CASE("the last entry is gone and other files go on: reported, without a number") {
  Fixture f;
  f.commit({f.entry("one")});
  auto entry = f.entry("after the restart");
  entry.cursor.chain = std::string(32, 'e');
  entry.cursor.boot = std::string(32, 'f');
  entry.cursor.number = 1;
  JournalRead read;
  read.entries = {entry};
  read.place_found = false;
  read.at_end = true;
  const auto batch = f.source.take(read);
  REQUIRE(batch.events.size() == 1);
  CHECK(batch.events[0].kind == "logs.gap");
  CHECK(batch.events[0].message.find("restart of the host") != std::string::npos);
  CHECK(batch.records.size() == 1);
}

TEST_CASE("only what was read already was removed: nothing is reported") {
  Fixture f;
  f.commit({f.entry("one"), f.entry("two")});
  JournalRead read;
  read.entries = {f.entry("three")};
  read.place_found = false;
  read.at_end = true;
  CHECK(f.source.take(read).events.empty());
}

TEST_CASE("damage is told once until all is well again") {
  Fixture f;
  JournalRead read;
  read.damage = "journal: a file was cut short";
  read.at_end = true;
  CHECK(f.source.take(read).events.size() == 1);
  f.source.committed();
  CHECK(f.source.take(read).events.empty());
  f.source.committed();
  f.commit({});
  CHECK(f.source.take(read).events.size() == 1);
}

TEST_CASE("units without end do not fill the ledger") {
  Fixture f;
  std::vector<JournalEntry> entries;
  for (std::size_t i = 0; i < JournalSource::kMaxInstances + 3; ++i)
    entries.push_back(f.entry("x", "sshd@" + std::to_string(i) + ".service"));
  const auto batch = f.commit(entries);
  CHECK(batch.records[JournalSource::kMaxInstances - 1].target.starts_with("unit/sshd@"));
  CHECK(batch.records.back().target == "unit/sshd@.service");
  CHECK(f.source.target_count() == JournalSource::kMaxInstances + 1);

  entries.clear();
  for (std::size_t i = 0; i < JournalSource::kMaxTargets; ++i)
    entries.push_back(f.entry("x", "u" + std::to_string(i) + ".service"));
  const auto many = f.commit(entries);
  CHECK(f.source.target_count() == JournalSource::kMaxTargets + 1);  // And the host
  CHECK(many.records.back().target == "host");
  CHECK(many.records.back().text == "prog[42]: x");
  REQUIRE(many.events.size() == 1);
  CHECK(many.events[0].kind == "logs.targets_limit");
}

TEST_CASE("lines that Docker cut are joined") {
  Fixture f;
  const auto batch = f.commit({f.piece("one ", true), f.piece("two ", true), f.entry("between"),
                               f.piece("other", false, 'd'), f.piece("three", false)});
  REQUIRE(batch.records.size() == 3);
  CHECK(batch.records[0].text == "between");
  CHECK(batch.records[1].text == "other");
  CHECK(batch.records[2].text == "one two three");
  CHECK(batch.records[2].flags == 0);
  CHECK(counts_of(batch, "log/container/" + std::string(64, 'c'))->records_read == 1);
}

TEST_CASE("the place never passes the first piece of a line whose rest is to come") {
  Fixture f;
  const auto before = f.entry("before");
  const auto first = f.piece("one ", true);
  const auto behind = f.entry("behind");
  const auto early = f.commit({before, first, behind});
  CHECK(early.records.size() == 1);
  CHECK(f.source.position().after == before.cursor);
  const auto late = f.commit({first, behind, f.piece("two", false)});
  REQUIRE(late.records.size() == 2);
  CHECK(late.records[1].text == "one two");
}

TEST_CASE("the rest of a cut line that never comes is not waited for") {
  Fixture f;
  const auto first = f.piece("one ", true);
  CHECK(f.commit({first}).records.empty());
  f.clock.advance(JournalSource::kPartialWait);
  const auto batch = f.commit({first});
  REQUIRE(batch.records.size() == 1);
  CHECK(batch.records[0].flags == wire::log_flags::kUnterminated);
  // A backlog: the rest lies beyond this read, then beyond the widest one.
  const auto old = f.piece("old ", true);
  f.clock.advance(std::chrono::hours(1));
  CHECK(f.commit({old}, false).records.empty());
  CHECK(f.source.limits().max_bytes > JournalLimits().max_bytes);
  CHECK(f.commit({old}, false).records.size() == 1);
  CHECK(f.source.limits().max_bytes == JournalLimits().max_bytes);
}

TEST_CASE("a container that is gone is forgotten once nothing more can come") {
  Fixture f;
  ObservedContainer container;
  container.facts.id = std::string(64, 'c');
  const std::vector<ObservedContainer> running{container};
  const std::vector<ObservedContainer> none;
  const auto name = "log/container/" + container.facts.id;
  f.source.set_containers(running);
  f.commit({f.piece("hello", false)});
  f.clock.advance(std::chrono::hours(48));
  CHECK(f.commit({}).forgotten_sources.empty());  // Quiet, but there
  f.source.set_containers(none);
  const auto batch = f.commit({});
  CHECK(batch.forgotten_sources == std::vector<std::string>{name});
  CHECK_FALSE(f.has_stored(name));
  CHECK(f.source.target_count() == 0);
}

TEST_CASE("a container that no runtime tells of is kept for a day") {
  Fixture f;
  f.source.set_containers({});
  f.commit({f.piece("hello", false)});
  f.clock.advance(std::chrono::hours(23));
  CHECK(f.commit({}).forgotten_sources.empty());
  f.clock.advance(std::chrono::hours(2));
  CHECK(f.commit({}).forgotten_sources.size() == 1);
}

TEST_CASE("a place that cannot be read begins as at the first start, and says so") {
  Fixture f;
  const std::vector<SourceCheckpoint> bad{{kJournalSource, "observeai-journal 1\nend\n"}};
  f.source.restore(bad);
  CHECK(f.source.position().since_us > 0);
  const auto batch = f.commit({});
  REQUIRE(batch.events.size() == 1);
  CHECK(batch.events[0].kind == "logs.checkpoint_invalid");
  CHECK(f.commit({}).events.empty());
}
