// Ids out of columns. Internal to controlplane/store.
#pragma once

#include <string_view>

#include "protocol/base/id.h"

namespace observeai::controlplane::store {

// Empty text is the empty id ("none"); anything else was an id when it was written.
template <class Id>
Result<Id> id_from(std::string_view text) {
  if (text.empty()) return Id();
  auto id = Id::parse(text);
  if (!id)
    return Error(Errc::kCorrupt, "state.db holds an id that is none: " + id.error().message());
  return id;
}

}  // namespace observeai::controlplane::store
