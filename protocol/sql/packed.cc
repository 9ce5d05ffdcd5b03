#include "protocol/sql/packed.h"

namespace observeai::sql {
namespace {

Error cut() {
  return Error(Errc::kCorrupt, "a packed list is cut short");
}

}  // namespace

void Packer::add(std::string_view item) {
  const auto length = static_cast<std::uint32_t>(item.size());
  for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>((length >> shift) & 0xFF);
  bytes_ += item;
}

void Packer::add_number(std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) bytes_ += static_cast<char>((value >> shift) & 0xFF);
}

Result<std::string> Unpacker::next() {
  if (rest_.size() < 4) return cut();
  std::uint32_t length = 0;
  for (int i = 0; i < 4; ++i)
    length |= std::uint32_t{static_cast<std::uint8_t>(rest_[i])} << (8 * i);
  rest_.remove_prefix(4);
  if (rest_.size() < length) return cut();
  std::string item(rest_.substr(0, length));
  rest_.remove_prefix(length);
  return item;
}

Result<std::uint64_t> Unpacker::next_number() {
  if (rest_.size() < 8) return cut();
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i)
    value |= std::uint64_t{static_cast<std::uint8_t>(rest_[i])} << (8 * i);
  rest_.remove_prefix(8);
  return value;
}

std::string pack(const std::vector<std::string>& items) {
  Packer packer;
  for (const auto& item : items) packer.add(item);
  return packer.take();
}

std::string pack(const std::map<std::string, std::string>& items) {
  Packer packer;
  for (const auto& [name, value] : items) {
    packer.add(name);
    packer.add(value);
  }
  return packer.take();
}

std::string pack(const std::map<std::string, std::uint64_t>& items) {
  Packer packer;
  for (const auto& [name, value] : items) {
    packer.add(name);
    packer.add_number(value);
  }
  return packer.take();
}

Result<std::vector<std::string>> unpack_list(std::string_view bytes) {
  std::vector<std::string> items;
  for (Unpacker unpacker(bytes); !unpacker.done();) {
    TRY(auto item, unpacker.next());
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::map<std::string, std::string>> unpack_map(std::string_view bytes) {
  std::map<std::string, std::string> items;
  for (Unpacker unpacker(bytes); !unpacker.done();) {
    TRY(auto name, unpacker.next());
    TRY(auto value, unpacker.next());
    items[std::move(name)] = std::move(value);
  }
  return items;
}

Result<std::map<std::string, std::uint64_t>> unpack_counts(std::string_view bytes) {
  std::map<std::string, std::uint64_t> items;
  for (Unpacker unpacker(bytes); !unpacker.done();) {
    TRY(auto name, unpacker.next());
    TRY(const auto value, unpacker.next_number());
    items[std::move(name)] = value;
  }
  return items;
}

}  // namespace observeai::sql
