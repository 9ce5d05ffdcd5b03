// Journal -> spool as the agent does it, without its loop; and what the spool then holds.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "agent/journal/journal_source.h"
#include "agent/logs/redactor.h"
#include "agent/spool/spool.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::test {

// One process that reads; made anew for each start of the agent.
class JournalDrain {
 public:
  JournalDrain(const std::string& journal, const std::string& spool_directory,
               const agent::JournalOptions& options = everything())
      : spool_(agent::Spool::open(spool_directory, {}, clock_).value()),
        outbox_(agent::Outbox::create(*spool_, clock_, [] {}).value()),
        reader_(agent::make_sd_journal_reader(journal, clock_)),
        source_(
            clock_,
            [this](std::string_view text, std::uint32_t& left, std::string& out) {
              return redactor_.redact_line(text, left, out);
            },
            options) {
    std::vector<agent::SourceCheckpoint> checkpoints = spool_->checkpoints().value();
    source_.restore(checkpoints);
  }

  static agent::JournalOptions everything() {
    agent::JournalOptions options;
    options.backfill = std::chrono::hours(24 * 365 * 50);
    return options;
  }

  // One read and commit. True: the end was reached.
  bool step() {
    auto read = reader_->read(source_.position(), source_.limits());
    if (read && source_.wants_second_look(*read)) {
      const auto met = read->damage;
      reader_->close();
      read = reader_->read(source_.position(), source_.limits());
      if (read && read->damage.empty()) read->damage = met;
      ++second_looks;
    }
    if (!read) {
      last_error = read.error().message();
      ++errors;
      return true;
    }
    if (!read->damage.empty()) damage = read->damage;
    auto batch = source_.take(*read);
    entries += read->entries.size();
    if (!batch.empty()) {
      const auto committed = outbox_.commit_logs(std::move(batch));
      if (!committed) {
        source_.rollback();
        last_error = committed.error().message();
        ++errors;
        return false;
      }
    }
    source_.committed();
    return read->at_end;
  }
  void to_end() {
    for (int i = 0; i < 100'000 && !step(); ++i) {
    }
  }
  agent::JournalReader& reader() { return *reader_; }
  agent::JournalSource& source() { return source_; }
  agent::Spool& spool() { return *spool_; }

  int errors = 0;
  int second_looks = 0;
  std::size_t entries = 0;
  std::string last_error;
  std::string damage;

 private:
  SystemClock clock_;
  agent::Redactor redactor_;
  std::unique_ptr<agent::Spool> spool_;
  agent::Outbox outbox_;
  std::shared_ptr<agent::JournalReader> reader_;
  agent::JournalSource source_;
};

// All that was committed.
struct SpoolContent {
  std::vector<wire::LogRecord> records;
  std::vector<wire::Event> events;
  std::map<std::string, wire::LedgerEntry> ledger;

  explicit SpoolContent(agent::Spool& spool) {
    for (std::uint64_t after = 0;;) {
      const auto batches = spool.read(wire::Lane::kLogs, after, 64, 64U << 20).value();
      if (batches.empty()) break;
      for (const auto& batch : batches) {
        auto part = wire::decode_logs(batch.body, batch.header.codec).value();
        for (auto& record : part.records) records.push_back(std::move(record));
        after = batch.header.seq;
      }
    }
    for (std::uint64_t after = 0;;) {
      const auto batches = spool.read(wire::Lane::kControl, after, 64, 64U << 20).value();
      if (batches.empty()) break;
      for (const auto& batch : batches) {
        auto part = wire::decode_control(batch.body, batch.header.codec).value();
        for (auto& event : part.events) events.push_back(std::move(event));
        after = batch.header.seq;
      }
    }
    const auto entries = spool.ledger().value();
    for (const auto& entry : entries) ledger[entry.source] = entry;
  }

  std::uint64_t events_of(const std::string& kind) const {
    std::uint64_t count = 0;
    for (const auto& event : events) count += event.kind == kind ? 1 : 0;
    return count;
  }
  // read = spooled + dropped, and as many spooled as there are records, for each source.
  bool is_balanced() const {
    std::map<std::string, std::uint64_t> stored;
    for (const auto& record : records) ++stored["log/" + record.target];
    bool balanced = true;
    for (const auto& [source, entry] : ledger) {
      std::uint64_t dropped = 0;
      for (const auto& [reason, count] : entry.records_dropped) dropped += count;
      balanced = balanced && entry.records_read == entry.records_spooled + dropped &&
                 entry.records_spooled == stored[source];
    }
    for (const auto& [source, count] : stored) balanced = balanced && ledger.contains(source);
    return balanced;
  }
};

// ---- the oracle --------------------------------------------------------------------------------

// "<source> <seq> <length> <checksum> <padding>", where length is that of the padding.
inline std::uint32_t checksum_of(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}
inline std::string oracle_line(const std::string& source, std::uint64_t seq) {
  const std::string padding(1 + (seq * 37) % 120, static_cast<char>('a' + seq % 26));
  return source + " " + std::to_string(seq) + " " + std::to_string(padding.size()) + " " +
         std::to_string(checksum_of(source + std::to_string(seq) + padding)) + " " + padding;
}

struct Verdict {
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t damaged = 0;
  std::uint64_t disordered = 0;
  bool clean() const { return lost + doubled + damaged + disordered == 0; }
};

// Against what was written: lines 0 .. written[source] - 1 of each source, each once, in order.
inline Verdict judge(const std::vector<wire::LogRecord>& records,
                     const std::map<std::string, std::uint64_t>& written) {
  Verdict verdict;
  std::map<std::string, std::vector<bool>> seen;
  std::map<std::string, std::uint64_t> next;
  for (const auto& [source, count] : written) seen[source].resize(count);
  for (const auto& record : records) {
    std::string_view text = record.text;
    if (const auto colon = text.find("]: "); colon != std::string_view::npos)
      text.remove_prefix(colon + 3);
    const std::string source(text.substr(0, text.find(' ')));
    if (!seen.contains(source)) continue;  // Not the generator's
    std::uint64_t seq = 0;
    for (const char c : text.substr(source.size() + 1)) {
      if (c < '0' || c > '9') break;
      seq = seq * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (text != oracle_line(source, seq) || seq >= written.at(source)) {
      ++verdict.damaged;
      continue;
    }
    if (seen[source][seq]) ++verdict.doubled;
    seen[source][seq] = true;
    if (seq < next[source]) ++verdict.disordered;
    next[source] = std::max(next[source], seq + 1);
  }
  for (const auto& [source, lines] : seen) {
    for (const bool line : lines) verdict.lost += line ? 0 : 1;
  }
  return verdict;
}

}  // namespace observeai::test
