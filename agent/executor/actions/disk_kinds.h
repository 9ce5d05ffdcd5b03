// What the names and first bytes of files tell: which are rotated logs, and which belong to a database or
// another thing that is not a log and must never be removed as one. Pure; errs towards leaving alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::agent::executor {

// name.1, name.2.gz, name-20261101, name-20261101-1699999999.zst, name.log.old
bool is_rotated_log(std::string_view name);

// Data files, write-ahead logs, locks and images of disks, by name.
bool is_database_file(std::string_view name);
// Of SQLite, LMDB, Redis, InnoDB, PostgreSQL's backups, Berkeley DB, images of disks: by the first bytes.
inline constexpr std::size_t kHeadBytes = 96;
bool is_database_head(std::string_view head);
// A folder with these names in it is a database's: PostgreSQL, MySQL, RocksDB and LevelDB, MongoDB, Kafka,
// Prometheus, etcd, Cassandra, Elasticsearch, Redis.
bool is_database_folder(const std::vector<std::string>& names);

// Folders of which nothing is ever removed, whatever a policy lists: the system's own.
bool is_system_folder(std::string_view path);

// An archived file of systemd's journal by its name (journal-file naming of systemd: archived
// <stem>@<sequence id>-<first sequence>-<first time>.journal, and <stem>@<time>-<random>.journal~).
struct ArchivedJournal {
  std::uint64_t time_us = 0;
  bool damaged = false;  // "~": closed uncleanly
};
std::optional<ArchivedJournal> parse_journal_name(std::string_view name);
// That the header says "archived" too (Journal File Format: signature at 0, state at 16).
inline constexpr std::size_t kJournalHeadBytes = 17;
bool is_archived_journal(std::string_view head);
// 32 hex digits, or these and a namespace: a machine's folder.
bool is_machine_folder(std::string_view name);

}  // namespace observeai::agent::executor
