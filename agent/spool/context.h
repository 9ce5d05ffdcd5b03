// What the chains of one spool share. Internal to agent/spool.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/spool/manifest.h"
#include "agent/spool/old_layout.h"
#include "agent/spool/segment.h"
#include "agent/spool/spool.h"

namespace observeai::agent {

// One step from an epoch to the next: number `base[lane]` became 1, what was below was acknowledged.
struct Fork {
  Epoch parent;
  std::array<std::uint64_t, wire::kLaneCount> base{};
};
std::string pack_forks(const std::vector<Fork>& forks);
Result<std::vector<Fork>> unpack_forks(std::string_view bytes);

class SpoolContext {
 public:
  SpoolContext(std::string the_directory, const SpoolLimits& the_limits, const Clock& the_clock);

  const std::string directory;
  const SpoolLimits limits;
  const Clock& clock;
  const std::uint64_t segment_bytes;  // A segment that has reached it is not written any more
  const SegmentOptions options;

  std::optional<Manifest> manifest;  // Set once open
  std::vector<Fork> forks;           // Oldest first
  SpoolCounters counters;
  std::vector<SpoolNotice> notices;

  const Epoch& epoch() const { return manifest->content().epoch; }
  void note(const char* kind, wire::Severity severity, const std::string& message);

  // After a write that failed the file may hold what was to be written: until it says again what
  // holds, nothing else may be written.
  Result<void> settle_manifest();
  Result<void> write_manifest(const ManifestContent& content);

  // How far the numbers of a segment of `from` are ahead of today's; empty: not of this spool.
  std::optional<std::uint64_t> shift_of(const Epoch& from, std::size_t lane) const;

  // As Segment::open(); what a full disk refuses is tried again without the ballast.
  Result<Segment> open_segment(const std::string& path);
  // One segment at a time is open for reading besides the newest of each lane. Lives until the next
  // call or close_reader().
  Result<Segment*> reader(const std::string& path);
  Result<OldSpool*> old_reader();
  void close_reader(const std::string& path);

  // Removed when possible: now, or at a later call.
  void remove_later(const std::string& path);
  void remove_pending();
  bool has_pending_removals() const { return !to_remove_.empty(); }
  void remove_no_more(const std::string& path);  // Its name is given to another segment

  // Space set aside on the disk for beginning a segment when there is none left.
  bool release_ballast();
  void restore_ballast();
  std::uint64_t ballast_bytes() const;

 private:
  std::optional<Segment> reader_;
  std::optional<OldSpool> old_reader_;
  std::vector<std::string> to_remove_;
  bool manifest_in_doubt_ = false;
};

Result<void> sync_directory(const std::string& directory);
Result<std::uint64_t> free_bytes_under(const std::string& directory);
Result<Epoch> random_epoch();

}  // namespace observeai::agent
