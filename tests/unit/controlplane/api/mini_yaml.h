// The part of YAML that openapi.yaml uses, read into JSON values: block maps and lists, {…} and […]
// in one or more lines, quoted and plain scalars, folded text (>-), comments on lines of their own.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::test {

class MiniYaml {
 public:
  static boost::json::value parse(std::string_view text) {
    MiniYaml yaml;
    yaml.read_lines(text);
    std::size_t at = 0;
    return yaml.block(at, 0);
  }

 private:
  struct Line {
    std::size_t indent;
    std::string text;
  };

  static std::ptrdiff_t open_brackets(std::string_view text) {
    std::ptrdiff_t depth = 0;
    bool quoted = false;
    for (const char c : text) {
      if (c == '"') quoted = !quoted;
      if (!quoted && (c == '{' || c == '[')) ++depth;
      if (!quoted && (c == '}' || c == ']')) --depth;
    }
    return depth;
  }

  void read_lines(std::string_view text) {
    bool folding = false;
    std::size_t fold_indent = 0;
    for (const auto raw : text::split(text, '\n')) {
      const auto trimmed = text::trim(raw);
      if (trimmed.empty() || trimmed.front() == '#') continue;
      const std::size_t indent = raw.find_first_not_of(' ');
      if (folding && indent > fold_indent) {
        lines_.back().text += (lines_.back().text.ends_with(' ') ? "" : " ") + std::string(trimmed);
        continue;
      }
      folding = false;
      if (!lines_.empty() && is_flow(lines_.back().text) && open_brackets(lines_.back().text) > 0) {
        lines_.back().text += " " + std::string(trimmed);
        continue;
      }
      lines_.push_back({indent, std::string(trimmed)});
      if (trimmed.ends_with(">-")) {
        folding = true;
        fold_indent = indent;
        lines_.back().text.resize(trimmed.size() - 2);
      }
    }
  }
  static bool is_flow(const std::string& text) {
    return text.find(": {") != std::string::npos || text.find(": [") != std::string::npos ||
           text.starts_with("- {");
  }

  boost::json::value block(std::size_t& at, std::size_t indent) {
    if (lines_.at(at).text.starts_with("- ")) {
      boost::json::array list;
      for (; at < lines_.size() && lines_[at].indent == indent &&
             lines_[at].text.starts_with("- ");) {
        std::string rest = lines_[at].text.substr(2);
        if (rest.front() != '{' && rest.front() != '"' && rest.find(": ") != std::string::npos) {
          lines_[at] = {indent + 2, rest};  // A map that begins on the dash's line
          list.push_back(block(at, indent + 2));
        } else {
          list.push_back(scalar_or_flow(rest));
          ++at;
        }
      }
      return list;
    }
    boost::json::object map;
    while (at < lines_.size() && lines_[at].indent == indent) {
      const std::string line = lines_[at].text;
      const bool quoted = line.front() == '"';
      const std::size_t end = quoted ? line.find('"', 1) + 1 : line.find(':');
      if (end == std::string::npos || end >= line.size())
        throw std::runtime_error("no key in: " + line);
      const std::string key = quoted ? line.substr(1, end - 2) : line.substr(0, end);
      const std::string rest(text::trim(std::string_view(line).substr(end + 1)));
      if (map.contains(key)) throw std::runtime_error("twice: " + key);
      ++at;
      if (!rest.empty())
        map[key] = scalar_or_flow(rest);
      else if (at < lines_.size() && lines_[at].indent > indent)
        map[key] = block(at, lines_[at].indent);
      else
        map[key] = nullptr;
    }
    if (at < lines_.size() && lines_[at].indent > indent)
      throw std::runtime_error("indent: " + lines_[at].text);
    return map;
  }

  boost::json::value scalar_or_flow(const std::string& text) {
    std::size_t at = 0;
    if (text.front() == '{' || text.front() == '[' || text.front() == '"') {
      auto value = flow(text, at);
      if (at != text.size()) throw std::runtime_error("left over in: " + text);
      return value;
    }
    return plain(text);
  }
  static void skip(const std::string& text, std::size_t& at) {
    while (at < text.size() && text[at] == ' ') ++at;
  }
  boost::json::value flow(const std::string& text, std::size_t& at) {
    skip(text, at);
    const char open = text.at(at);
    if (open == '"') {
      const auto end = text.find('"', at + 1);
      const std::string out = text.substr(at + 1, end - at - 1);
      at = end + 1;
      return boost::json::value(out);
    }
    if (open != '{' && open != '[') {
      const auto end = std::min(text.find_first_of(",}]", at), text.size());
      const std::string out(text::trim(std::string_view(text).substr(at, end - at)));
      at = end;
      return plain(out);
    }
    boost::json::array list;
    boost::json::object map;
    ++at;
    for (skip(text, at); text.at(at) != '}' && text.at(at) != ']'; skip(text, at)) {
      if (open == '{') {
        const auto colon = text.find(':', at);
        const std::string key(text::trim(std::string_view(text).substr(at, colon - at)));
        at = colon + 1;
        map[key] = flow(text, at);
      } else {
        list.push_back(flow(text, at));
      }
      skip(text, at);
      if (text.at(at) == ',') ++at;
    }
    ++at;
    if (open == '{') return map;
    return list;
  }
  static boost::json::value plain(const std::string& text) {
    if (text == "true") return true;
    if (text == "false") return false;
    if (const auto number = text::parse_i64(text)) return *number;
    return boost::json::value(text);
  }

  std::vector<Line> lines_;
};

}  // namespace observeai::test
