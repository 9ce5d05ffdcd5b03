// The spool's small index: which segment of each lane is the newest, how far each lane is
// acknowledged, and the epoch. It notices a newest segment that is gone, which looks like an older
// spool otherwise. Two copies in one file, written in turn in their places: needs no free space, and a
// write that was cut leaves the other copy. Internal to agent/spool.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct ManifestContent {
  Epoch epoch;
  std::array<std::uint64_t, wire::kLaneCount> newest{};  // Segment numbers; 0 = the lane has none
  std::array<std::uint64_t, wire::kLaneCount> acked{};   // At least so far
  std::uint64_t series_reserved = 0;                     // No id of the epoch is as high as this
};

class Manifest {
 public:
  static std::string path_in(const std::string& directory);
  // Empty when there is none, or none that is whole. Other errors: as files::read.
  static Result<std::optional<Manifest>> load(const std::string& directory);
  // Replaces what is there.
  static Result<Manifest> create(const std::string& directory, const ManifestContent& content);

  const ManifestContent& content() const { return content_; }
  // Durable when it returns; after an error either content may be found by load().
  Result<void> write(const ManifestContent& content);

 private:
  Manifest(std::string path, ManifestContent content, std::uint64_t generation)
      : path_(std::move(path)), content_(content), generation_(generation) {}

  std::string path_;
  ManifestContent content_;
  std::uint64_t generation_;
};

}  // namespace observeai::agent
