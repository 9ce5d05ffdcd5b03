// A queue between threads that never grows past its bound; what does not fit is counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "protocol/base/thread_annotations.h"

namespace observeai {

// Thread-safe, many producers, many consumers. After close() pushes fail and pops drain the rest.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False when full or closed; the refusal is counted.
  bool try_push(T value) {
    MutexLock lock(mutex_);
    if (closed_ || items_.size() >= capacity_) {
      ++refused_;
      return false;
    }
    items_.push_back(std::move(value));
    ready_.notify_one();
    return true;
  }

  // Waits for an item; nullopt once closed and empty, or after `patience`.
  std::optional<T> pop(std::chrono::milliseconds patience) {
    MutexLock lock(mutex_);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (items_.empty() && !closed_) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= end) return std::nullopt;
      ready_.wait_for(mutex_, end - now);
    }
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    return value;
  }

  void close() {
    MutexLock lock(mutex_);
    closed_ = true;
    ready_.notify_all();
  }
  std::size_t size() {
    MutexLock lock(mutex_);
    return items_.size();
  }
  std::uint64_t refused() {
    MutexLock lock(mutex_);
    return refused_;
  }

 private:
  const std::size_t capacity_;
  Mutex mutex_;
  ConditionVariable ready_;
  std::deque<T> items_ GUARDED_BY(mutex_);
  std::uint64_t refused_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace observeai
