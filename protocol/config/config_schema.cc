#include "protocol/config/config_schema.h"

#include <map>
#include <sstream>

#include "protocol/base/text.h"
#include "protocol/config/toml.h"

namespace observeai::config {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date";
  }
}

class TomlReader final : public Schema {
 public:
  TomlReader(const toml::table& root, std::string_view source) : root_(root), source_(source) {
    known_[""];
  }

  void section(std::string_view name, std::string_view) override {
    section_ = name;
    known_[section_];
    known_[""].emplace_back(name);
    const toml::node* node = root_.get(name);
    if (node != nullptr && !node->is_table()) fail(*node, section_, "a table");
  }
  void field(std::string_view name, std::string& value, std::string_view) override {
    const toml::node* node = find(name);
    if (node == nullptr) return;
    if (const auto text = node->value_exact<std::string>()) {
      value = *text;
    } else {
      fail(*node, path(name), "a text in quotes");
    }
  }
  void field(std::string_view name, std::string& value, const Check& check,
             std::string_view comment) override {
    field(name, value, comment);
    const toml::node* node = find(name);
    if (node == nullptr || !problem_.empty()) return;
    if (const auto checked = check(value); !checked)
      problem_ = where(*node) + path(name) + ": " + checked.error().message();
  }
  void field(std::string_view name, bool& value, std::string_view) override {
    const toml::node* node = find(name);
    if (node == nullptr) return;
    if (const auto flag = node->value_exact<bool>()) {
      value = *flag;
    } else {
      fail(*node, path(name), "true or false");
    }
  }
  void field(std::string_view name, std::uint64_t& value, std::uint64_t least, std::uint64_t most,
             std::string_view) override {
    const toml::node* node = find(name);
    if (node == nullptr) return;
    const auto number = node->value_exact<std::int64_t>();
    if (number && *number >= 0 && static_cast<std::uint64_t>(*number) >= least &&
        static_cast<std::uint64_t>(*number) <= most) {
      value = static_cast<std::uint64_t>(*number);
      return;
    }
    fail(*node, path(name),
         "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  void field(std::string_view name, std::chrono::milliseconds& value,
             std::chrono::milliseconds least, std::chrono::milliseconds most,
             std::string_view) override {
    const toml::node* node = find(name);
    if (node == nullptr) return;
    if (const auto text = node->value_exact<std::string>()) {
      const auto parsed = text::parse_duration_ms(*text);
      if (parsed && *parsed >= least.count() && *parsed <= most.count()) {
        value = std::chrono::milliseconds(*parsed);
        return;
      }
    }
    fail(*node, path(name),
         "a duration in quotes from \"" + text::format_duration_ms(least.count()) + "\" to \"" +
             text::format_duration_ms(most.count()) + "\", such as \"30s\"");
  }
  void field(std::string_view name, std::vector<std::string>& value, std::string_view) override {
    const toml::node* node = find(name);
    if (node == nullptr) return;
    std::vector<std::string> texts;
    if (const auto* list = node->as_array()) {
      for (const auto& element : *list) {
        const auto text = element.value_exact<std::string>();
        if (!text) return fail(element, path(name), "a list of texts in quotes");
        texts.push_back(*text);
      }
      value = std::move(texts);
      return;
    }
    fail(*node, path(name), "a list of texts in quotes");
  }

  // The first problem: a bad value, else a key nobody described.
  Result<void> finish() {
    if (!problem_.empty()) return Error(Errc::kInvalid, problem_);
    for (const auto& [section, names] : known_) {
      const toml::table* table = section.empty() ? &root_ : root_[section].as_table();
      if (table == nullptr) continue;
      for (const auto& [key, node] : *table) {
        const std::string name(key.str());
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        std::string message = where(node) + "unknown key \"" + log_safe(name) + "\"";
        if (!section.empty()) message += " in [" + section + "]";
        if (const auto near = text::nearest(name, names))
          message += "; did you mean \"" + *near + "\"?";
        return Error(Errc::kInvalid, message);
      }
    }
    return {};
  }

 private:
  static std::string log_safe(const std::string& name) {
    return text::escape_unprintable(name, 60);
  }
  std::string path(std::string_view name) const {
    return section_.empty() ? std::string(name) : section_ + "." + std::string(name);
  }
  std::string where(const toml::node& node) const {
    return source_ + ":" + std::to_string(node.source().begin.line) + ": ";
  }
  const toml::node* find(std::string_view name) {
    known_[section_].emplace_back(name);
    const toml::table* table = section_.empty() ? &root_ : root_[section_].as_table();
    return table == nullptr ? nullptr : table->get(name);
  }
  void fail(const toml::node& node, const std::string& key, std::string_view wanted) {
    if (!problem_.empty()) return;
    std::ostringstream got;
    got << toml::node_view<const toml::node>(&node);
    problem_ = where(node) + key + " must be " + std::string(wanted) + ", got " +
               (node.is_table() || node.is_array() ? std::string(type_name(node))
                                                   : std::string(type_name(node)) + ": " +
                                                         text::escape_unprintable(got.str(), 60));
  }

  const toml::table& root_;
  std::string source_;
  std::string section_;
  std::map<std::string, std::vector<std::string>> known_;
  std::string problem_;
};

class TomlPrinter final : public Schema {
 public:
  void section(std::string_view name, std::string_view comment) override {
    out_ << "\n# " << comment << "\n[" << name << "]\n";
  }
  void field(std::string_view name, std::string& value, std::string_view comment) override {
    line(name, quoted(value), comment);
  }
  void field(std::string_view name, std::string& value, const Check&,
             std::string_view comment) override {
    field(name, value, comment);
  }
  void field(std::string_view name, bool& value, std::string_view comment) override {
    line(name, value ? "true" : "false", comment);
  }
  void field(std::string_view name, std::uint64_t& value, std::uint64_t, std::uint64_t,
             std::string_view comment) override {
    line(name, std::to_string(value), comment);
  }
  void field(std::string_view name, std::chrono::milliseconds& value, std::chrono::milliseconds,
             std::chrono::milliseconds, std::string_view comment) override {
    const auto ms = value.count();
    line(name,
         ms % 1000 == 0 ? "\"" + std::to_string(ms / 1000) + "s\""
                        : "\"" + std::to_string(ms) + "ms\"",
         comment);
  }
  void field(std::string_view name, std::vector<std::string>& value,
             std::string_view comment) override {
    std::string list = "[";
    for (const auto& text : value) list += (list.size() > 1 ? ", " : "") + quoted(text);
    line(name, list + "]", comment);
  }
  std::string text() const { return out_.str(); }

 private:
  static std::string quoted(const std::string& text) {
    std::ostringstream out;
    out << toml::value<std::string>(text);
    return out.str();
  }
  void line(std::string_view name, const std::string& value, std::string_view comment) {
    out_ << name << " = " << value << "  # " << comment << "\n";
  }
  std::ostringstream out_;
};

}  // namespace

Result<void> not_empty(const std::string& text) {
  if (text.empty()) return Error(Errc::kInvalid, "must not be empty");
  return {};
}

namespace detail {

Result<void> read_toml(std::string_view text, std::string_view source, void* config,
                       Describe describe) {
  const toml::parse_result parsed = toml::parse(text, source);
  if (!parsed) {
    return Error(Errc::kInvalid,
                 std::string(source) + ":" + std::to_string(parsed.error().source().begin.line) +
                     ": not valid TOML: " + std::string(parsed.error().description()));
  }
  TomlReader reader(parsed.table(), source);
  describe(config, reader);
  return reader.finish();
}

std::string print_toml(void* config, Describe describe) {
  TomlPrinter printer;
  describe(config, printer);
  return printer.text();
}

}  // namespace detail
}  // namespace observeai::config
