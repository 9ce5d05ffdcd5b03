#include "agent/executor/actions/disk_kinds.h"

#include <doctest/doctest.h>

using namespace observeai::agent::executor;
using namespace std::string_view_literals;

TEST_CASE("rotated logs by their names") {
  for (const char* name :
       {"app.1", "app.log.1", "app.log.12", "app.log.2.gz", "app.log.99999", "app-20261101",
        "app-20261101.gz", "app.log-20261101.zst", "app-20261101-1699999999.xz", "my-app-20261101",
        "app-20261101.log", "app-2026110114.log.gz", "app.log.old", "x.3.bz2"})
    CHECK_MESSAGE(is_rotated_log(name), name);
  for (const char* name :
       {"app.log", "app", "app.gz", "app.log.gz", "1", ".1", "app.123456", "app.1x", "app-2026",
        "app-99991101", "-20261101", "app-20261101x", "libfoo.so.1", "libfoo.so.1.2", "notes.txt",
        ".old", "app.1.txt", "backup-20261101.tar"})
    CHECK_FALSE_MESSAGE(is_rotated_log(name), name);
}

TEST_CASE("files of databases by their names") {
  for (const char* name : {"a.db",
                           "a.sqlite3",
                           "a.db-wal",
                           "a.db-shm",
                           "a.db-journal",
                           "A.DB",
                           "ibdata1",
                           "t.ibd",
                           "t.MYD",
                           "ib_logfile0",
                           "000012.sst",
                           "000012.ldb",
                           "data.mdb",
                           "dump.rdb",
                           "appendonly.aof",
                           "mysql-bin.000012",
                           "binlog.1",
                           "collection-7.wt",
                           "00000001.wal",
                           "disk.qcow2",
                           "a.sqlite.gz",
                           "server.key",
                           "system@1.journal"})
    CHECK_MESSAGE(is_database_file(name), name);
  for (const char* name :
       {"app.log.1", "app.1", "db.log.1", "wal.txt", "ib.log", "app-20261101.gz"})
    CHECK_FALSE_MESSAGE(is_database_file(name), name);
}

TEST_CASE("databases by their first bytes") {
  CHECK(is_database_head("SQLite format 3\0\x10\0"sv));
  CHECK(is_database_head("REDIS0011"sv));
  CHECK(is_database_head("0123456789abcdef\xDE\xC0\xEF\xBE...."sv));
  CHECK(is_database_head("0123456789ab\x62\x31\x05\0...."sv));
  CHECK(is_database_head("LPKSHHRH"sv));
  CHECK_FALSE(is_database_head("SQLite format 3"sv));  // A log line about it
  CHECK_FALSE(is_database_head("2026-11-21 12:00:00 SQLite format 3 opened\n"sv));
  CHECK_FALSE(is_database_head(""sv));
  CHECK_FALSE(is_database_head("\x1f\x8b\x08"sv));
}

TEST_CASE("folders of databases") {
  const std::vector<std::vector<std::string>> databases = {
      {"PG_VERSION", "base", "log"},
      {"ibdata1"},
      {"CURRENT", "MANIFEST-000004", "000003.log"},
      {"WiredTiger", "collection-0.wt"},
      {"00000000000000000000.index", "00000000000000000000.log"},
      {"snap", "wal"},
      {"chunks_head", "wal"},
      {"segments_3"},
      {"mydb-Data.db"},
      {"appendonlydir"}};
  for (const auto& names : databases) CHECK_MESSAGE(is_database_folder(names), names.front());
  CHECK_FALSE(is_database_folder({}));
  CHECK_FALSE(is_database_folder({"app.log", "app.log.1", "CURRENT", "wal"}));
}

TEST_CASE("the system's folders") {
  for (const char* path :
       {"/", "/etc", "/etc/nginx", "/usr/share/x", "/var", "/var/lib", "/proc/1",
        "/var/lib/observeai/spool", "/var/lib/observeai-executor/trust",
        "/var/lib/observeai-signer", "/run/observeai", "/run/observeai-executor",
        "/var/run/observeai-signer/x", "/boot", "/root", "/home", "/lib/systemd"})
    CHECK_MESSAGE(is_system_folder(path), path);
  for (const char* path : {"/var/log", "/var/log/app", "/srv/app/logs", "/home/app/logs",
                           "/var/lib/app/logs", "/etcetera", "/opt/app/log"})
    CHECK_FALSE_MESSAGE(is_system_folder(path), path);
}

TEST_CASE("names of journal files") {
  const auto archived = parse_journal_name(
      "system@0123456789abcdef0123456789abcdef-00000000000004d2-0005f2b1c3d4e5f6.journal");
  REQUIRE(archived.has_value());
  CHECK(archived->time_us == 0x0005f2b1c3d4e5f6);
  CHECK_FALSE(archived->damaged);
  const auto damaged = parse_journal_name("user-1000@0005f2b1c3d4e5f6-89abcdef01234567.journal~");
  REQUIRE(damaged.has_value());
  CHECK(damaged->time_us == 0x0005f2b1c3d4e5f6);
  CHECK(damaged->damaged);
  for (const char* name :
       {"system.journal", "user-1000.journal", "system@.journal", "@0005f2b1c3d4e5f6.journal",
        "system@0123456789abcdef0123456789abcdef-00000000000004d2-0005f2b1c3d4e5f6.journal.gz",
        "system@0123456789ABCDEF0123456789abcdef-00000000000004d2-0005f2b1c3d4e5f6.journal",
        "system@0123456789abcdef0123456789abcdef-00000000000004d2-0005f2b1c3d4e5f6.journal~",
        "system@0123456789abcdef0123456789abcdef-00000000000004d2_0005f2b1c3d4e5f6.journal",
        "system@0005f2b1c3d4e5f6-89abcdef0123456.journal~", ""})
    CHECK_FALSE_MESSAGE(parse_journal_name(name).has_value(), name);
}

TEST_CASE("headers of journal files, folders of machines") {
  std::string head("LPKSHHRH\0\0\0\0\0\0\0\0\2", 17);
  CHECK(is_archived_journal(head));
  head[16] = 1;  // Online
  CHECK_FALSE(is_archived_journal(head));
  head[16] = 0;  // Offline: it is the one to go on with
  CHECK_FALSE(is_archived_journal(head));
  CHECK_FALSE(is_archived_journal("LPKSHHRH"));
  CHECK(is_machine_folder("0123456789abcdef0123456789abcdef"));
  CHECK(is_machine_folder("0123456789abcdef0123456789abcdef.web"));
  for (const char* name :
       {"", ".", "remote", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef.",
        "0123456789abcdef0123456789abcdeff"})
    CHECK_FALSE_MESSAGE(is_machine_folder(name), name);
}
