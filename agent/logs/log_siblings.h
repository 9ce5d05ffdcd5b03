// The files of one log by their names: the live one and what rotation made of earlier ones.
//
//   of app.log                                      by whom
//   ----------------------------------------------  -------------------------------------------------
//   app.log.1  app.log.2.gz                         Docker, logrotate
//   app.log-20261121  app.log-20261121-1763712000   logrotate dateext, with its hourly form
//   app-20261121.log                                logrotate with `extension .log`
//   0.log.20261121-074500  0.log.20261121-074500.gz kubelet
//
// Each may end in ".gz". A compressed file beside the same name without ".gz" is still being
// written: it does not count. Other endings (.tmp, .bz2, .xz) do not count either.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logs/file_tail.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Rotated siblings looked at for one log; Docker's max-file is rarely above 10.
inline constexpr std::size_t kMaxSiblings = 128;

// When a rotated file was live, as far as its name tells: numbers grow with age, dates shrink.
struct RotatedName {
  std::uint64_t number = 0;  // 0 = named by date
  std::string date;
  bool compressed = false;
};
// Does `name` name a rotated file of the live file `base` (both without folder)?
std::optional<RotatedName> parse_rotated(std::string_view base, std::string_view name);
// Every name that `name` can be a rotated file of.
std::vector<std::string> live_names_of(std::string_view name);

// How the path of a log may lead through symbolic links.
enum class Links {
  kRefused,  // A link in the log's place is not followed: whoever planted it may read less than we
  // Followed when root made it, or whom the file belongs to that it leads to. The log is then the
  // file at its end; the files beside that one whose names differ in digits only are its siblings.
  kTrusted,
};

// The file that `path` means, opened. kNotFound, kDenied (links, no regular file), kUnavailable.
Result<SeenFile> open_log(const std::string& path, Links links);

// `path` and its rotated siblings, opened. Oldest first, the live file last; a consistent picture:
// no rename happened while it was taken. kTimeout when names keep moving (try again), kNotFound
// without the folder, kDenied, kUnavailable. Empty when none of the files is there.
Result<std::vector<SeenFile>> open_siblings(const std::string& path, Links links = Links::kRefused);

}  // namespace observeai::agent
