// Clang's thread-safety attributes and a mutex that carries them; nothing elsewhere.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define OBSERVEAI_ATTRIBUTE(x) __attribute__((x))
#else
#define OBSERVEAI_ATTRIBUTE(x)
#endif

#define CAPABILITY(x) OBSERVEAI_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY OBSERVEAI_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) OBSERVEAI_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) OBSERVEAI_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) OBSERVEAI_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) OBSERVEAI_ATTRIBUTE(release_capability(__VA_ARGS__))
#define EXCLUDES(...) OBSERVEAI_ATTRIBUTE(locks_excluded(__VA_ARGS__))

namespace observeai {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class ConditionVariable;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with the mutex held by the caller; re-check the condition after every wait.
class ConditionVariable {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  template <class Duration>
  void wait_for(Mutex& mutex, Duration duration) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, duration);
    lock.release();
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace observeai
