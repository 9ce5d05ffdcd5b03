// Uses something up the way that services do: what prediction is tried on (tests/e2e/test_predict).
//   leaker memory SHAPE name=value...   what it holds follows SHAPE (MiB and seconds):
//       linear base= rate=              leaks evenly
//       exponential base= fold=         e times as much every `fold` seconds
//       stairs base= step= every=       so much more at once, again and again
//       gc base= height= every= rate=   a sawtooth whose floor rises by `rate` (0: healthy)
//       warmup base= to= fold=          comes close to `to`, and stays
//       batch base= height= every= for= works for a while now and then
//     linear takes live= too: it ends with exit code 0 after so many seconds, to be started again
//   leaker cache file= rate= size=      appends to a file that begins anew at `size`: page cache
//   leaker disk SHAPE dir= ...          files that fill a file system (MiB):
//       linear rate=   bursts step= every=   rotate rate= keep= (what is older than `keep` MiB is removed)
//   leaker inodes dir= rate=            empty files a second
//   leaker handles rate=                opens so many files a second, and closes none
//   leaker connections rate=            TCP connections to itself a second, and closes none
//   leaker processes rate=              children a second that never end
//   leaker errors SHAPE ...             lines a second on its standard output:
//       rising rate= base= fold= from= to=   errors grow e times every `fold` seconds after `from`; exit 1 at `to` a second
//       steady rate= base=              always some errors
//       bursts rate= base= height= every=   many for a second, now and then
// At the end of what it may have it waits for the kernel, or keeps what it has.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int count;
static char** words;

static double value(const char* name, double otherwise) {
  const size_t size = strlen(name);
  for (int i = 0; i < count; ++i) {
    if (strncmp(words[i], name, size) == 0 && words[i][size] == '=') return atof(words[i] + size + 1);
  }
  return otherwise;
}
static const char* text(const char* name) {
  const size_t size = strlen(name);
  for (int i = 0; i < count; ++i) {
    if (strncmp(words[i], name, size) == 0 && words[i][size] == '=') return words[i] + size + 1;
  }
  fprintf(stderr, "leaker: %s= is missing\n", name);
  exit(2);
}
static int is(const char* word, const char* other) {
  return strcmp(word, other) == 0;
}
static void unknown(const char* what) {
  fprintf(stderr, "leaker: %s is not known\n", what);
  exit(2);
}

static double now(void) {
  static double began = 0;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  const double seconds = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
  if (began == 0) began = seconds;
  return seconds - began;
}
static void rest(void) {
  usleep(50000);
}

static const double kMiB = 1 << 20;

// ---- memory ------------------------------------------------------------------------------------

static double wanted_memory(const char* shape, double t) {
  const double base = value("base", 4), every = value("every", 10);
  if (is(shape, "linear")) return base + value("rate", 1) * t;
  if (is(shape, "exponential")) return base * exp(t / value("fold", 20));
  if (is(shape, "stairs")) return base + value("step", 4) * floor(t / every);
  if (is(shape, "gc")) return base + value("rate", 0) * t + value("height", 10) * fmod(t, every) / every;
  if (is(shape, "warmup")) return base + (value("to", 40) - base) * (1 - exp(-t / value("fold", 10)));
  if (is(shape, "batch")) return base + (fmod(t, every) >= every - value("for", 5) ? value("height", 10) : 0);
  unknown(shape);
  return 0;
}

static void play_memory(const char* shape) {
  const size_t room = (size_t)4 << 30, page = 4096;
  char* memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) exit(1);
  madvise(memory, room, MADV_NOHUGEPAGE);  // Pages as they are touched, not two MiB at once
  const double live = value("live", 0);
  for (size_t held = 0;;) {
    const double t = now();
    if (live > 0 && t > live) exit(0);
    size_t want = (size_t)(wanted_memory(shape, t) * kMiB) / page * page;
    if (want > room) want = room;
    for (; held < want; held += page) memory[held] = 1;
    if (want < held) madvise(memory + want, held - want, MADV_DONTNEED);
    held = want;
    rest();
  }
}

// ---- files -------------------------------------------------------------------------------------

static char block[1 << 16];

// How much of `size` went in.
static size_t append(int file, size_t size) {
  size_t done = 0;
  while (done < size) {
    const size_t part = size - done < sizeof block ? size - done : sizeof block;
    const ssize_t written = write(file, block, part);
    if (written <= 0) break;
    done += (size_t)written;
  }
  return done;
}

static void play_cache(void) {
  const int file = open(text("file"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
  double written = 0, size = 0;
  for (;;) {
    const double due = value("rate", 1) * kMiB * now() - written;
    const double did = (double)append(file, (size_t)due);
    written += did;
    size += did;
    if (size > value("size", 100) * kMiB) {
      if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0) exit(1);
      size = 0;
    }
    rest();
  }
}

static int open_in(const char* dir, long number) {
  char path[512];
  snprintf(path, sizeof path, "%s/%ld", dir, number);
  return open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
}

// One file a MiB.
static void play_disk(const char* shape) {
  const char* dir = text("dir");
  const double keep = value("keep", 1e9);
  double written = 0;
  for (long removed = 0;;) {
    const double t = now();
    const double want = is(shape, "bursts") ? value("step", 4) * floor(t / value("every", 10)) : value("rate", 1) * t;
    while (written < want * kMiB) {
      const int file = open_in(dir, (long)(written / kMiB));
      if (file < 0) break;
      const double left = kMiB - fmod(written, kMiB), due = want * kMiB - written;
      const size_t did = append(file, (size_t)(left < due ? left : due) + 1);
      close(file);
      written += (double)did;
      if (did == 0) break;  // Full
    }
    for (; is(shape, "rotate") && written / kMiB - (double)removed > keep; removed += (long)(keep / 2)) {
      for (long number = removed; number < removed + (long)(keep / 2); ++number) {
        char path[512];
        snprintf(path, sizeof path, "%s/%ld", dir, number);
        unlink(path);
      }
    }
    rest();
  }
}

// ---- tables of the kernel ----------------------------------------------------------------------

static void make_inode(long number) {
  const int file = open_in(text("dir"), number);
  if (file >= 0) close(file);
}
static void open_handle(long number) {
  (void)number;
  (void)!open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
static void fork_child(long number) {
  (void)number;
  if (fork() == 0) {
    for (;;) pause();
  }
}

static int listener = -1;
static void connect_to_self(long number) {
  (void)number;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(4242)};
  if (listener < 0) {
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 16) != 0) exit(1);
  }
  const int mine = socket(AF_INET, SOCK_STREAM, 0);
  if (mine < 0) return;
  if (connect(mine, (struct sockaddr*)&address, sizeof address) != 0) close(mine);
  else (void)!accept(listener, NULL, NULL);
}

static void repeat(void (*act)(long)) {
  for (long done = 0;;) {
    for (; (double)done < value("rate", 5) * now(); ++done) act(done);
    rest();
  }
}

// ---- errors ------------------------------------------------------------------------------------

static double wanted_errors(const char* shape, double t) {
  const double base = value("base", 0);
  if (is(shape, "steady")) return base;
  if (is(shape, "bursts")) return fmod(t, value("every", 20)) < 1 ? value("height", 100) : base;
  if (!is(shape, "rising")) unknown(shape);
  const double from = value("from", 30);
  return t < from ? base : (base + 0.3) * exp((t - from) / value("fold", 10));
}

static void play_errors(const char* shape) {
  double errors = 0, others = 0, before = now();
  long number = 0;
  for (;;) {
    rest();
    const double t = now(), rate = wanted_errors(shape, t);
    errors += rate * (t - before);
    others += value("rate", 5) * (t - before);
    before = t;
    for (; others >= 1; --others) printf("INFO request %ld served\n", ++number);
    for (; errors >= 1; --errors) printf("ERROR request %ld: no answer from the database\n", ++number);
    fflush(stdout);
    if (is(shape, "rising") && rate > value("to", 50)) {
      printf("FATAL giving up\n");
      exit(1);
    }
  }
}

int main(int argc, char** argv) {
  signal(SIGTERM, SIG_DFL);
  signal(SIGCHLD, SIG_IGN);
  memset(block, 'x', sizeof block);
  if (argc < 3) unknown("what to play");
  words = argv + 2;
  count = argc - 2;
  const char* what = argv[1];
  if (is(what, "memory")) play_memory(argv[2]);
  else if (is(what, "cache")) play_cache();
  else if (is(what, "disk")) play_disk(argv[2]);
  else if (is(what, "inodes")) repeat(make_inode);
  else if (is(what, "handles")) repeat(open_handle);
  else if (is(what, "connections")) repeat(connect_to_self);
  else if (is(what, "processes")) repeat(fork_child);
  else if (is(what, "errors")) play_errors(argv[2]);
  else unknown(what);
}
