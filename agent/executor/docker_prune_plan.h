// Which images and build cache records nobody needs. Pure.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent::executor {

// An image or a record of the build cache.
struct Stored {
  std::string id;           // "sha256:...", or the record's name [a-z0-9]{1,64}
  std::string parent;       // Or empty
  std::int64_t used_s = 0;  // Unix time: image: made; record: last used
  std::int64_t bytes = 0;
  // Nobody's by its own: without a name, not in use, not shared.
  bool unclaimed = false;
};

// GET /images/json?all=1. An image with a tag or a digest has an owner: who pulled or named it.
Result<std::vector<Stored>> parse_images(std::string_view json);
// GET /system/df
Result<std::vector<Stored>> parse_build_cache(std::string_view json);

// What can go: unclaimed, last used at `before_s` or earlier, not in `in_use`, and without a child that
// stays. Children come before their parents, so that any beginning of the list can go by itself; at most
// `limit`.
std::vector<Stored> removable(const std::vector<Stored>& all, const std::set<std::string>& in_use,
                              std::int64_t before_s, std::size_t limit);

}  // namespace observeai::agent::executor
