// Rows of a kernel table (disks, interfaces, meminfo fields) with what is kept for each: series
// refs, descriptors. Kernel tables keep their order, so that finding a row again is one comparison.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::agent {

// Row is constructible from its key (std::string_view) and the further arguments of at(), and
// movable.
template <class Row>
class RowCache {
 public:
  // No machine has more disks, interfaces or mounts worth a series each; beyond it rows are
  // refused.
  static constexpr std::size_t kMaxRows = 4096;

  // begin(), then at() for each line, then end(): rows that were not asked for are dropped.
  void begin() { cursor_ = 0; }
  // nullptr at the limit. The pointer is valid until the next at().
  template <class... Args>
  Row* at(std::string_view key, const Args&... args) {
    if (cursor_ >= entries_.size() || entries_[cursor_].key != key) {
      const auto found =
          std::find_if(entries_.begin() + static_cast<std::ptrdiff_t>(cursor_), entries_.end(),
                       [&](const Entry& entry) { return entry.key == key; });
      if (found != entries_.end()) {
        std::rotate(entries_.begin() + static_cast<std::ptrdiff_t>(cursor_), found, found + 1);
      } else if (entries_.size() >= kMaxRows) {
        return nullptr;
      } else {
        entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(cursor_),
                        Entry{std::string(key), Row(key, args...)});
      }
    }
    return &entries_[cursor_++].row;
  }
  void end() {
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(cursor_), entries_.end());
  }
  template <class Visit>
  void for_each(Visit visit) {
    for (Entry& entry : entries_) visit(entry.row);
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Row row;
  };
  std::vector<Entry> entries_;
  std::size_t cursor_ = 0;
};

}  // namespace observeai::agent
