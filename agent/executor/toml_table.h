// One table of a policy file, read strictly: wrong types and ranges are told with file, line and key, and
// keys that nobody asked for with the nearest known name. Private to policy_reader.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/config/toml.h"

namespace observeai::agent::executor {

class TomlTable {
 public:
  // `table` outlives this. `path` is for messages: "allow[2]", "" at the top.
  TomlTable(const toml::table& table, std::string source, std::string path)
      : table_(&table), source_(std::move(source)), path_(std::move(path)) {}

  Result<std::optional<bool>> flag(std::string_view key);
  Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t least,
                                              std::int64_t most);
  Result<std::optional<std::string>> text(std::string_view key);
  Result<std::optional<std::chrono::milliseconds>> duration(std::string_view key,
                                                            std::chrono::milliseconds most);
  Result<std::vector<std::string>> texts(std::string_view key);
  Result<std::optional<TomlTable>> table(std::string_view key);
  // [[key]]
  Result<std::vector<TomlTable>> tables(std::string_view key);
  // Every key of this table, each a table: [cache.<name>].
  Result<std::vector<std::pair<std::string, TomlTable>>> named_tables();

  // After all of the above. kInvalid: a key that was not asked for.
  Result<void> finish() const;

  Error wrong(std::string_view key, const std::string& what) const;
  bool has(std::string_view key) const { return table_->contains(key); }

 private:
  const toml::node* find(std::string_view key);
  std::string path_of(std::string_view key) const;

  const toml::table* table_;
  std::string source_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace observeai::agent::executor
