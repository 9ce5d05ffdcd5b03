// The files of a folder of partitions: p-<start>.db, and p-<start>.db.corrupt-<n> for those that were put
// aside. Internal to controlplane/store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::controlplane::store {

// A damaged partition is kept for a person to look at, but not every one for ever.
inline constexpr std::size_t kAsideKept = 2;

std::string partition_path(const std::string& directory, std::int64_t start_ms);
std::vector<std::int64_t> partition_starts(const std::string& directory);  // Ascending
void unlink_with_logs(const std::string& path);

// A name that is free. The files of its log have the same name with their suffix behind.
std::string aside_path(const std::string& path);
// Of this partition; "" = none. kUnavailable: the folder cannot be listed.
Result<std::string> newest_aside(const std::string& path);
bool is_gone(const std::string& path);  // For certain: not when the disk does not say
// Renames the partition and its log; what fails is logged.
void move_aside(const std::string& path, const std::string& aside);
// Unlinks all but the newest kAsideKept.
void forget_aside(const std::string& directory);
std::uint64_t aside_bytes(const std::string& directory);  // With their logs

}  // namespace observeai::controlplane::store
