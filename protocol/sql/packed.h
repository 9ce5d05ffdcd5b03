// Lists and maps of strings as one blob, for columns that SQL never looks into. Any bytes; each item is
// its length (four bytes, little end first) and its bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::sql {

class Packer {
 public:
  void add(std::string_view item);
  void add_number(std::uint64_t value);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Trusts nothing: a cut or overlong blob is kCorrupt.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  Result<std::string> next();
  Result<std::uint64_t> next_number();

 private:
  std::string_view rest_;
};

std::string pack(const std::vector<std::string>& items);
std::string pack(const std::map<std::string, std::string>& items);
std::string pack(const std::map<std::string, std::uint64_t>& items);
Result<std::vector<std::string>> unpack_list(std::string_view bytes);
Result<std::map<std::string, std::string>> unpack_map(std::string_view bytes);
Result<std::map<std::string, std::uint64_t>> unpack_counts(std::string_view bytes);

}  // namespace observeai::sql
