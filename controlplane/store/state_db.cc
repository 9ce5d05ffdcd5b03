#include "controlplane/store/state_db.h"

#include "protocol/base/embedded.h"
#include "protocol/sql/migrator.h"

namespace observeai {
extern const EmbeddedFile kStateMigrations[];
extern const unsigned long kStateMigrationsCount;
}  // namespace observeai

namespace observeai::controlplane::store {
namespace {

constexpr std::uint32_t kApplicationId = 0x4F414943;  // "OAIC"
constexpr std::size_t kIdleReaders = 4;               // About the threads that serve the interface

}  // namespace

StateDb::StateDb(std::string path, std::unique_ptr<sql::Database> writer)
    : writer_(std::move(writer)), readers_(std::move(path), kIdleReaders) {}

Result<std::unique_ptr<StateDb>> StateDb::open(const std::string& path) {
  sql::OpenOptions options;
  options.cache_kib = 8192;
  TRY(auto database, sql::Database::open(path, options));
  const sql::Migrator migrator({kStateMigrations, kStateMigrationsCount}, kApplicationId);
  TRY_VOID(migrator.apply(database));
  TRY_VOID(database.run("INSERT OR IGNORE INTO sealing(id, sealed_through) VALUES(1, -1)"));
  return std::unique_ptr<StateDb>(
      new StateDb(path, std::make_unique<sql::Database>(std::move(database))));
}

Error StateDb::translated(Error error) {
  if (error.code() != Errc::kCorrupt) return error;
  return Error(Errc::kUnavailable, error.message() + "; restore it from a backup");
}

}  // namespace observeai::controlplane::store
