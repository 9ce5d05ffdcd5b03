#include "protocol/sql/migrator.h"

#include <cctype>

namespace observeai::sql {
namespace {

std::string four_digits(std::size_t number) {
  std::string text = std::to_string(number);
  return std::string(text.size() < 4 ? 4 - text.size() : 0, '0') + text;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '"';
}

// One blank between words, none elsewhere, no comments: ALTER TABLE leaves other spacing than CREATE.
std::string normalised(std::string_view sql) {
  std::string out;
  bool gap = false;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '-' && i + 1 < sql.size() && sql[i + 1] == '-') {
      while (i < sql.size() && sql[i] != '\n') ++i;
      gap = true;
      continue;
    }
    if (std::isspace(static_cast<unsigned char>(sql[i])) != 0) {
      gap = true;
      continue;
    }
    if (gap && !out.empty() && is_word(out.back()) && is_word(sql[i])) out += ' ';
    gap = false;
    out += sql[i];
  }
  return out;
}

}  // namespace

Result<void> Migrator::check_names() const {
  for (std::size_t i = 0; i < migrations_.size(); ++i) {
    if (migrations_[i].name.find(four_digits(i + 1)) == std::string_view::npos) {
      return Error(Errc::kInternal, "migration " + std::string(migrations_[i].name) +
                                        " should carry the number " + four_digits(i + 1));
    }
  }
  return {};
}

Result<std::uint64_t> Migrator::version_of(Database& database) const {
  TRY(const auto version, database.scalar(0, "PRAGMA user_version"));
  TRY(const auto owner, database.scalar(0, "PRAGMA application_id"));
  if (version == 0) {
    TRY(const auto objects, database.scalar(0, "SELECT count(*) FROM sqlite_schema"));
    if (objects == 0) return 0;
  }
  if (version <= 0 || static_cast<std::uint32_t>(owner) != application_id_) {
    return Error(Errc::kInvalid, database.path() + ": not a database of this program");
  }
  if (static_cast<std::uint64_t>(version) > newest()) {
    return Error(Errc::kInvalid, database.path() + ": made by a newer version: database has " +
                                     std::to_string(version) + ", this program knows " +
                                     std::to_string(newest()));
  }
  return static_cast<std::uint64_t>(version);
}

Result<void> Migrator::apply(Database& database) const {
  TRY_VOID(check_names());
  TRY(auto version, version_of(database));
  while (version < newest()) {
    TRY(auto transaction, Transaction::begin(database));
    // Another process may have been faster.
    TRY(version, version_of(database));
    if (version >= newest()) break;
    const EmbeddedFile& migration = migrations_[version];
    auto applied = database.execute(std::string(migration.bytes));
    if (!applied)
      return std::move(applied).error().with_context("migration " + std::string(migration.name));
    ++version;
    TRY_VOID(database.execute("PRAGMA user_version=" + std::to_string(version) +
                              ";PRAGMA application_id=" + std::to_string(application_id_)));
    auto committed = transaction.commit();
    if (!committed)
      return std::move(committed).error().with_context("migration " + std::string(migration.name));
  }
  return {};
}

Result<std::string> describe_schema(Database& database) {
  TRY(auto rows,
      database.query("SELECT type, name, sql FROM sqlite_schema "
                     "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name"));
  std::string out;
  for (;;) {
    TRY(const bool more, rows.step());
    if (!more) return out;
    out += rows.string(0) + " " + rows.string(1) + ": " + normalised(rows.text(2)) + "\n";
  }
}

}  // namespace observeai::sql
