// Ids and hashes out of columns. Internal to controlplane/store.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/base/id.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::store {

// First half of the sha256 of a batch's body. Zeros: its content was lost, nothing equals or differs.
using ContentHash = std::array<std::uint8_t, 16>;

// Empty text is the empty id ("none"); anything else was an id when it was written.
template <class Id>
Result<Id> id_from(std::string_view text) {
  if (text.empty()) return Id();
  auto id = Id::parse(text);
  if (!id)
    return Error(Errc::kCorrupt, "state.db holds an id that is none: " + id.error().message());
  return id;
}

inline Result<std::array<std::uint8_t, 16>> sixteen_from(std::string_view blob, const char* what) {
  std::array<std::uint8_t, 16> out{};
  if (blob.size() != out.size())
    return Error(Errc::kCorrupt, std::string("a stored ") + what + " has a wrong length");
  std::copy(blob.begin(), blob.end(), out.begin());
  return out;
}
inline Result<ContentHash> hash_from(std::string_view blob) {
  return sixteen_from(blob, "hash");
}
inline Result<Epoch> epoch_from(std::string_view blob) {
  TRY(const auto bytes, sixteen_from(blob, "epoch"));
  return Epoch{bytes};
}

}  // namespace observeai::controlplane::store
