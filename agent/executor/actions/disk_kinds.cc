#include "agent/executor/actions/disk_kinds.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace observeai::agent::executor {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::string_view kCompressed[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z"};

constexpr std::string_view kDatabaseEndings[] = {
    ".db",   ".db3",  ".sqlite", ".sqlite3",   "-wal",  "-shm", "-journal", ".wal",   ".aof",
    ".rdb",  ".sst",  ".ldb",    ".ibd",       ".ibu",  ".frm", ".myd",     ".myi",   ".mai",
    ".mad",  ".wt",   ".mdb",    ".ldf",       ".mdf",  ".ndf", ".dbf",     ".fdb",   ".gdb",
    ".kdbx", ".snap", ".index",  ".timeindex", ".cfs",  ".cfe", ".si",      ".crc32", ".lock",
    ".pid",  ".img",  ".iso",    ".qcow2",     ".vmdk", ".vdi", ".vhd",     ".vhdx",  ".raw",
    ".key",  ".pem",  ".crt",    ".journal",   ".tsm",  ".bolt"};
// With a number behind it: MySQL's binary log and its index, redo logs, InnoDB's system space.
constexpr std::string_view kDatabaseBeginnings[] = {"ibdata",     "ib_logfile", "ib_buffer_pool",
                                                    "undo_",      "mysql-bin.", "binlog.",
                                                    "relay-bin.", "aria_log"};

constexpr std::string_view kFolderMarks[] = {"PG_VERSION",
                                             "pg_wal",
                                             "ibdata1",
                                             "ib_logfile0",
                                             "aria_log_control",
                                             "mysql.ibd",
                                             "WiredTiger",
                                             "WiredTiger.lock",
                                             "mongod.lock",
                                             "storage.bson",
                                             "data.mdb",
                                             "lock.mdb",
                                             "appendonlydir",
                                             "dump.rdb",
                                             "appendonly.aof",
                                             "nodes.conf",
                                             "chunks_head",
                                             "leader-epoch-checkpoint",
                                             "partition.metadata",
                                             "meta.properties",
                                             "segments.gen",
                                             "raft.db"};

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool ends_with_any(std::string_view text, Names endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return text.ends_with(ending); });
}

std::string_view without_compression(std::string_view name) {
  for (const auto ending : kCompressed)
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  return name;
}

std::optional<std::uint64_t> hex_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// 20261101, with a time of day or a unix time behind it.
bool is_date(std::string_view text) {
  const auto dash = text.find('-');
  const auto day = text.substr(0, dash);
  if (day.size() < 8 || day.size() > 14 || !is_digits(day)) return false;
  if (day.substr(0, 2) != "19" && day.substr(0, 2) != "20") return false;
  return dash == std::string_view::npos || is_digits(text.substr(dash + 1));
}

}  // namespace

bool is_rotated_log(std::string_view name) {
  const auto plain = without_compression(name);
  if (plain.find(".so.") != std::string_view::npos) return false;  // A library and its version
  if (plain.size() > 4 && plain.ends_with(".old")) return true;
  const auto dot = plain.rfind('.');
  if (dot != std::string_view::npos && dot > 0 && plain.size() - dot - 1 <= 5 &&
      is_digits(plain.substr(dot + 1)))
    return true;
  for (auto dash = plain.find('-'); dash != std::string_view::npos;
       dash = plain.find('-', dash + 1)) {
    auto rest = plain.substr(dash + 1);
    if (rest.ends_with(".log")) rest.remove_suffix(4);
    if (dash > 0 && is_date(rest)) return true;
  }
  return false;
}

bool is_database_file(std::string_view name) {
  const std::string low = lower(name);
  const auto plain = without_compression(low);
  if (ends_with_any(low, kDatabaseEndings) || ends_with_any(plain, kDatabaseEndings)) return true;
  return std::any_of(std::begin(kDatabaseBeginnings), std::end(kDatabaseBeginnings),
                     [&](std::string_view beginning) { return low.starts_with(beginning); });
}

bool is_database_head(std::string_view head) {
  using namespace std::string_view_literals;
  constexpr std::array kHeads = {"SQLite format 3\0"sv,
                                 "REDIS0"sv,
                                 "PGDMP"sv,
                                 "\xFE\x62\x69\x6E"sv,
                                 "QFI\xFB"sv,
                                 "KDMV"sv,
                                 "conectix"sv,
                                 "*2\r\n$6\r\nSELECT"sv,
                                 "LPKSHHRH"sv,
                                 "MariaDB"sv,
                                 "\x00\x00\x00\x01Standard Jet"sv};
  if (std::any_of(kHeads.begin(), kHeads.end(),
                  [&](std::string_view one) { return head.starts_with(one); }))
    return true;
  const auto at = [&](std::size_t offset, std::string_view bytes) {
    return head.size() >= offset + bytes.size() && head.substr(offset, bytes.size()) == bytes;
  };
  // LMDB's meta page; Berkeley DB's btree, hash and queue; bbolt's meta page.
  return at(16, "\xDE\xC0\xEF\xBE"sv) || at(12, "\x62\x31\x05\x00"sv) ||
         at(12, "\x61\x15\x06\x00"sv) || at(12, "\x53\x22\x04\x00"sv) ||
         at(16, "\xED\xDA\x0C\xED"sv);
}

bool is_database_folder(const std::vector<std::string>& names) {
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto any = [&](auto matches) { return std::any_of(names.begin(), names.end(), matches); };
  if (std::any_of(std::begin(kFolderMarks), std::end(kFolderMarks), has)) return true;
  // RocksDB and LevelDB.
  if (has("CURRENT") && any([](const std::string& one) { return one.starts_with("MANIFEST-"); }))
    return true;
  if (has("wal") && has("snap")) return true;  // etcd
  // Kafka and the like: a segment beside its index; Cassandra; Lucene.
  if (any([](const std::string& one) { return one.ends_with(".index"); }) &&
      any([](const std::string& one) { return one.ends_with(".log"); }))
    return true;
  return any([](const std::string& one) {
    return one.ends_with("-Data.db") || one.starts_with("segments_") || one.ends_with(".ibd") ||
           one.ends_with(".frm");
  });
}

bool is_system_folder(std::string_view path) {
  constexpr std::string_view kExactly[] = {"/",    "/home", "/mnt", "/opt",     "/root",     "/run",
                                           "/srv", "/tmp",  "/var", "/var/lib", "/var/spool"};
  constexpr std::string_view kBelow[] = {
      "/bin",  "/boot", "/dev", "/etc", "/lib",          "/lib32",          "/lib64",
      "/proc", "/sbin", "/sys", "/usr", "/var/lib/dpkg", "/var/lib/docker", "/var/lib/containerd"};
  // Of every program of ours: observeai, observeai-executor, observeai-signer.
  constexpr std::string_view kOurs[] = {"/run/observeai", "/var/lib/observeai",
                                        "/var/run/observeai"};
  if (std::find(std::begin(kExactly), std::end(kExactly), path) != std::end(kExactly)) return true;
  if (std::any_of(std::begin(kOurs), std::end(kOurs),
                  [&](std::string_view beginning) { return path.starts_with(beginning); }))
    return true;
  return std::any_of(std::begin(kBelow), std::end(kBelow), [&](std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
  });
}

std::optional<ArchivedJournal> parse_journal_name(std::string_view name) {
  ArchivedJournal out;
  out.damaged = name.ends_with(".journal~");
  if (!out.damaged && !name.ends_with(".journal")) return std::nullopt;
  name.remove_suffix(out.damaged ? 9 : 8);
  const auto mark = name.rfind('@');
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  auto rest = name.substr(mark + 1);
  std::string_view time;
  if (out.damaged) {
    if (rest.size() != 33 || rest[16] != '-' || !is_hex(rest.substr(17), 16)) return std::nullopt;
    time = rest.substr(0, 16);
  } else {
    if (rest.size() != 66 || rest[32] != '-' || rest[49] != '-' ||
        !is_hex(rest.substr(0, 32), 32) || !is_hex(rest.substr(33, 16), 16))
      return std::nullopt;
    time = rest.substr(50);
  }
  if (!is_hex(time, 16)) return std::nullopt;
  out.time_us = hex_number(time).value_or(0);
  return out;
}

bool is_archived_journal(std::string_view head) {
  constexpr char kArchived = 2;
  return head.size() >= kJournalHeadBytes && head.starts_with("LPKSHHRH") && head[16] == kArchived;
}

bool is_machine_folder(std::string_view name) {
  return is_hex(name.substr(0, 32), 32) &&
         (name.size() == 32 || (name[32] == '.' && name.size() > 33));
}

}  // namespace observeai::agent::executor
