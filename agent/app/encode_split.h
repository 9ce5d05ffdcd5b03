// Signals into batches of a bounded size. Internal to the outbox.
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Encodes `items` into as many batches as the codec's bound asks for, by halving. `shrink` makes
// less of a lone item that is too large, or two of it; `refuse` hears of each that no batch can
// hold. An error is none of the items' fault. Leaves some of the items: all, unless it halved.
template <class T, class Encode, class Shrink, class Refuse>
Result<void> encode_split(std::vector<T>& items, const Encode& encode, const Shrink& shrink,
                          const Refuse& refuse, std::vector<PendingBatch>& out) {
  if (items.empty()) return {};
  auto body = encode(items);
  if (body) {
    out.push_back(std::move(*body));
    return {};
  }
  const Errc why = body.error().code();
  if (why != Errc::kLimit && why != Errc::kInvalid) return body.error();
  if (items.size() == 1) {
    if (why == Errc::kLimit && shrink(items))
      return encode_split(items, encode, shrink, refuse, out);
    refuse(items.front(), body.error());
    return {};
  }
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
  std::vector<T> back(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
  items.erase(middle, items.end());
  TRY_VOID(encode_split(items, encode, shrink, refuse, out));
  return encode_split(back, encode, shrink, refuse, out);
}

}  // namespace observeai::agent
