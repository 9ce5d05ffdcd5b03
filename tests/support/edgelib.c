// Preloaded into a program under test: counts the moments just before and just after each call that changes
// something outside of the process, and ends the process by SIGKILL at the one that a control file names.
//   OBSERVEAI_EDGES  the control file: struct edges (edgelib.h), mapped
// Only the process that was started with it counts, not its forks: a program's keeper dies by what it does
// when its parent does.
#define _GNU_SOURCE
#include "edgelib.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#undef open
#undef open64

static struct edges* edges = NULL;
static pid_t home = 0;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("OBSERVEAI_EDGES");
  if (path == NULL) return;
  int (*real_open)(const char*, int, ...) = dlsym(RTLD_NEXT, "open");
  const int fd = real_open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* mapped = mmap(NULL, sizeof(struct edges), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return;
  home = getpid();
  edges = mapped;
}

static void pass(const char* when, const char* call, const char* name) {
  if (edges == NULL || getpid() != home) return;
  const int error = errno;
  const int number = __atomic_add_fetch(&edges->count, 1, __ATOMIC_SEQ_CST);
  const char* base = strrchr(name, '/');
  if (number <= kMaxEdges)
    snprintf(edges->names[number - 1], kEdgeNameBytes, "%s %s %s", when, call, base == NULL ? name : base + 1);
  int expected = number;  // Whoever armed it may disarm it meanwhile
  if (__atomic_compare_exchange_n(&edges->kill_at, &expected, -number, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    edges->killed = 1;
    kill(home, SIGKILL);
    for (;;) pause();
  }
  errno = error;
}

static const char* name_of(int fd, char* buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t got = readlink(link, buffer, size - 1);
  buffer[got > 0 ? got : 0] = 0;
  return buffer;
}

#define REAL(name) \
  static __typeof__(&name) real = NULL; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

// One call on a file that is open.
#define ON_FILE(type, name, parameters, arguments) \
  type name parameters { \
    REAL(name); \
    char buffer[1024]; \
    const char* what = name_of(fd, buffer, sizeof buffer); \
    pass("before", #name, what); \
    const type result = real arguments; \
    pass("after", #name, what); \
    return result; \
  }
ON_FILE(ssize_t, write, (int fd, const void* data, size_t size), (fd, data, size))
ON_FILE(ssize_t, pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at))
ON_FILE(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at))
ON_FILE(ssize_t, send, (int fd, const void* data, size_t size, int flags), (fd, data, size, flags))
ON_FILE(int, fsync, (int fd), (fd))
ON_FILE(int, fdatasync, (int fd), (fd))
ON_FILE(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FILE(int, fchmod, (int fd, mode_t mode), (fd, mode))

// One call on a name.
#define ON_NAME(name, parameters, arguments, what) \
  int name parameters { \
    REAL(name); \
    pass("before", #name, what); \
    const int result = real arguments; \
    pass("after", #name, what); \
    return result; \
  }
ON_NAME(unlink, (const char* path), (path), path)
ON_NAME(unlinkat, (int folder, const char* path, int flags), (folder, path, flags), path)
ON_NAME(rename, (const char* from, const char* to), (from, to), to)
ON_NAME(mkdir, (const char* path, mode_t mode), (path, mode), path)
ON_NAME(bind, (int fd, const struct sockaddr* address, socklen_t size), (fd, address, size), "socket")

#define OPEN(name) \
  int name(const char* path, int flags, ...) { \
    static int (*real)(const char*, int, ...) = NULL; \
    if (real == NULL) real = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list rest; \
    va_start(rest, flags); \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    const int makes = (flags & O_CREAT) != 0; \
    if (makes) pass("before", "open", path); \
    const int result = real(path, flags, mode); \
    if (makes) pass("after", "open", path); \
    return result; \
  }
OPEN(open)
OPEN(open64)

pid_t fork(void) {
  REAL(fork);
  pass("before", "fork", "");
  const pid_t child = real();
  if (child != 0) pass("after", "fork", "");
  return child;
}
