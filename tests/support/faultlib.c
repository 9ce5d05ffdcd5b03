// Preloaded into a program under test: its wall clock may be off, and its disk may fail, as a control file says
// at any moment (tests/support/fault_rig.py writes it).
//   OBSERVEAI_FAULTS        the control file: struct control, mapped
//   OBSERVEAI_FAULTS_UNDER  only files below this folder fail
// A clock that is shifted is the wall clock alone; the steady one goes on, as when somebody sets the time. Time
// that passed is on the wall clock and the boot clock, as after a sleep. Waits for a wall clock time are waits for
// the same span.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#undef open
#undef open64

// What fails: bits of `fails`.
enum { kWrites = 1, kShortWrites = 2, kSyncs = 4, kReads = 8, kNames = 16 /* open to write, unlink, rename */ };

struct control {
  volatile int64_t clock_shift_ns;
  volatile int32_t fails;
  volatile int32_t error;       // errno of what fails
  volatile int32_t per_mille;   // How many of those calls
  volatile int32_t failed;      // Counted here
  volatile int64_t passed_ns;   // That nobody waited
};

static struct control nothing;
static struct control* control = &nothing;
static char under[512];
static size_t under_size;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("OBSERVEAI_FAULTS");
  const char* folder = getenv("OBSERVEAI_FAULTS_UNDER");
  if (path == NULL) return;
  int (*real_open)(const char*, int, ...) = dlsym(RTLD_NEXT, "open");
  const int fd = real_open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;  // A child of another user: its world is whole
  void* mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return;
  if (folder != NULL) {
    under_size = (size_t)snprintf(under, sizeof under, "%s/", folder);
    if (under_size >= sizeof under) abort();
  }
  control = mapped;
}

#define REAL(name) \
  static __typeof__(&name) real = NULL; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

// Whether this call is one that fails; then errno is set.
static int is_hit(int kind) {
  if ((control->fails & kind) == 0) return 0;
  static _Thread_local uint64_t dice = 0;
  if (dice == 0) dice = (uintptr_t)&dice ^ (uint64_t)getpid() * 0x9E3779B97F4A7C15u;
  dice = dice * 6364136223846793005u + 1442695040888963407u;
  return (int32_t)((dice >> 33) % 1000) < control->per_mille;
}
static int fail(void) {
  __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
  errno = control->error;
  return -1;
}
static int is_ours(const char* path) { return under_size > 0 && strncmp(path, under, under_size) == 0; }
static int fd_is_ours(int fd) {
  char link[64];
  char path[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return is_ours(path);
}
static int fd_fails(int kind, int fd) {
  const int before = errno;
  const int hit = (control->fails & kind) != 0 && fd_is_ours(fd) && is_hit(kind);
  errno = before;
  return hit;
}

// ---- files ------------------------------------------------------------------------------------

#define WRITE_AT(name, offset_type) \
  ssize_t name(int fd, const void* data, size_t size, offset_type at) { \
    REAL(name); \
    if (fd_fails(kWrites, fd)) return fail(); \
    if (size > 1 && fd_fails(kShortWrites, fd)) { \
      __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED); \
      return real(fd, data, size / 2, at); \
    } \
    return real(fd, data, size, at); \
  }
WRITE_AT(pwrite, off_t)
WRITE_AT(pwrite64, off64_t)

ssize_t write(int fd, const void* data, size_t size) {
  REAL(write);
  if (fd_fails(kWrites, fd)) return fail();
  if (size > 1 && fd_fails(kShortWrites, fd)) {
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
    return real(fd, data, size / 2);
  }
  return real(fd, data, size);
}

#define READ_AT(name, offset_type) \
  ssize_t name(int fd, void* data, size_t size, offset_type at) { \
    REAL(name); \
    if (fd_fails(kReads, fd)) return fail(); \
    return real(fd, data, size, at); \
  }
READ_AT(pread, off_t)
READ_AT(pread64, off64_t)

int fsync(int fd) {
  REAL(fsync);
  return fd_fails(kSyncs, fd) ? fail() : real(fd);
}
int fdatasync(int fd) {
  REAL(fdatasync);
  return fd_fails(kSyncs, fd) ? fail() : real(fd);
}
int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  return fd_fails(kWrites, fd) ? fail() : real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  return fd_fails(kWrites, fd) ? fail() : real(fd, size);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
  REAL(fallocate);
  return fd_fails(kWrites, fd) ? fail() : real(fd, mode, at, size);
}
int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  return fd_fails(kWrites, fd) ? (fail(), control->error) : real(fd, at, size);
}

int unlink(const char* path) {
  REAL(unlink);
  return is_ours(path) && is_hit(kNames) ? fail() : real(path);
}
int rename(const char* from, const char* to) {
  REAL(rename);
  return is_ours(to) && is_hit(kNames) ? fail() : real(from, to);
}
int mkdir(const char* path, mode_t mode) {
  int (*real)(const char*, mode_t) = dlsym(RTLD_NEXT, "mkdir");
  return is_ours(path) && is_hit(kNames) ? fail() : real(path, mode);
}

#define OPEN(name) \
  int name(const char* path, int flags, ...) { \
    static int (*real)(const char*, int, ...) = NULL; \
    if (real == NULL) real = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list rest; \
    va_start(rest, flags); \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0 && is_ours(path) && is_hit(kNames)) return fail(); \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

// ---- the clocks -------------------------------------------------------------------------------

static struct timespec shifted(struct timespec time, int64_t by_ns) {
  const int64_t ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec + by_ns;
  return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static int64_t wall_ns(void) { return control->clock_shift_ns + control->passed_ns; }

int clock_gettime(clockid_t clock, struct timespec* out) {
  REAL(clock_gettime);
  const int result = real(clock, out);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *out = shifted(*out, wall_ns());
  if (result == 0 && clock == CLOCK_BOOTTIME) *out = shifted(*out, control->passed_ns);
  return result;
}

int gettimeofday(struct timeval* out, void* zone) {
  (void)zone;
  struct timespec now;
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const struct timespec* until) {
  REAL(pthread_cond_timedwait);
  // Steady clocks count from the start of the machine: what lies decades later is wall clock time.
  const struct timespec moved = until->tv_sec > 500000000 ? shifted(*until, -wall_ns()) : *until;
  return real(condition, mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
  REAL(pthread_cond_clockwait);
  const struct timespec moved = clock == CLOCK_REALTIME ? shifted(*until, -wall_ns()) : *until;
  return real(condition, mutex, clock, &moved);
}
