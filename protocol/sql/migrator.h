// Brings a database to the schema of this program.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "protocol/base/embedded.h"
#include "protocol/base/result.h"
#include "protocol/sql/database.h"

namespace observeai::sql {

// Migrations are files whose names carry 0001, 0002, ... in order. Append-only: what was released is
// never edited. The database's user_version is the number of the last one applied.
class Migrator {
 public:
  // `application_id` marks whose database this is; `migrations` outlives the migrator.
  Migrator(std::span<const EmbeddedFile> migrations, std::uint32_t application_id)
      : migrations_(migrations), application_id_(application_id) {}

  // Applies what is missing, each migration in its own transaction. kInvalid: made by a newer version
  // ("database has N, this program knows M"), or not a database of this kind.
  Result<void> apply(Database& database) const;
  std::uint64_t newest() const { return migrations_.size(); }

 private:
  Result<void> check_names() const;
  Result<std::uint64_t> version_of(Database& database) const;

  std::span<const EmbeddedFile> migrations_;
  std::uint32_t application_id_;
};

// Every table, index and trigger with its normalised SQL, sorted: equal text, equal schema.
Result<std::string> describe_schema(Database& database);

}  // namespace observeai::sql
