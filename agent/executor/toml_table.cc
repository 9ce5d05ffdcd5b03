#include "agent/executor/toml_table.h"

#include <algorithm>

#include "protocol/base/text.h"

namespace observeai::agent::executor {

std::string TomlTable::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

Error TomlTable::wrong(std::string_view key, const std::string& what) const {
  const toml::node* node = table_->get(key);
  const auto line = node != nullptr ? node->source().begin.line : table_->source().begin.line;
  return Error(Errc::kInvalid,
               source_ + ":" + std::to_string(line) + ": " + path_of(key) + " " + what);
}

const toml::node* TomlTable::find(std::string_view key) {
  known_.emplace_back(key);
  return table_->get(key);
}

Result<std::optional<bool>> TomlTable::flag(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::optional<bool>();
  const auto value = node->value_exact<bool>();
  if (!value) return wrong(key, "must be true or false");
  return std::optional<bool>(*value);
}

Result<std::optional<std::int64_t>> TomlTable::integer(std::string_view key, std::int64_t least,
                                                       std::int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::optional<std::int64_t>();
  const auto value = node->value_exact<std::int64_t>();
  if (!value || *value < least || *value > most)
    return wrong(key, "must be a whole number from " + std::to_string(least) + " to " +
                          std::to_string(most));
  return std::optional<std::int64_t>(*value);
}

Result<std::optional<std::string>> TomlTable::text(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::optional<std::string>();
  auto value = node->value_exact<std::string>();
  if (!value || value->empty()) return wrong(key, "must be a text in quotes");
  return std::optional<std::string>(std::move(*value));
}

Result<std::optional<std::chrono::milliseconds>> TomlTable::duration(
    std::string_view key, std::chrono::milliseconds most) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::optional<std::chrono::milliseconds>();
  const auto value = node->value_exact<std::string>();
  const auto parsed = value ? text::parse_duration_ms(*value) : Error(Errc::kInvalid, "");
  if (!parsed || *parsed < 0 || *parsed > most.count())
    return wrong(key, "must be a duration in quotes, at most \"" +
                          text::format_duration_ms(most.count()) + "\", such as \"10m\"");
  return std::optional<std::chrono::milliseconds>(*parsed);
}

Result<std::vector<std::string>> TomlTable::texts(std::string_view key) {
  std::vector<std::string> out;
  const toml::node* node = find(key);
  if (node == nullptr) return out;
  const auto* list = node->as_array();
  if (list == nullptr) return wrong(key, "must be a list of texts in quotes");
  for (const auto& element : *list) {
    auto value = element.value_exact<std::string>();
    if (!value || value->empty()) return wrong(key, "must be a list of texts in quotes");
    out.push_back(std::move(*value));
  }
  return out;
}

Result<std::optional<TomlTable>> TomlTable::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::optional<TomlTable>();
  const auto* inner = node->as_table();
  if (inner == nullptr) return wrong(key, "must be a table: [" + path_of(key) + "]");
  return std::optional<TomlTable>(TomlTable(*inner, source_, path_of(key)));
}

Result<std::vector<TomlTable>> TomlTable::tables(std::string_view key) {
  std::vector<TomlTable> out;
  const toml::node* node = find(key);
  if (node == nullptr) return out;
  const auto* list = node->as_array();
  if (list == nullptr) return wrong(key, "must be written as [[" + path_of(key) + "]]");
  for (const auto& element : *list) {
    const auto* inner = element.as_table();
    if (inner == nullptr) return wrong(key, "must be written as [[" + path_of(key) + "]]");
    out.emplace_back(*inner, source_, path_of(key) + "[" + std::to_string(out.size() + 1) + "]");
  }
  return out;
}

Result<std::vector<std::pair<std::string, TomlTable>>> TomlTable::named_tables() {
  std::vector<std::pair<std::string, TomlTable>> out;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    TRY(auto inner, table(name));
    out.emplace_back(name, std::move(*inner));
  }
  return out;
}

Result<void> TomlTable::finish() const {
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const auto near = text::nearest(name, known_);
    return wrong(text::escape_unprintable(name, 64),
                 "is not known" + (near ? "; did you mean \"" + *near + "\"?" : std::string()));
  }
  return {};
}

}  // namespace observeai::agent::executor
