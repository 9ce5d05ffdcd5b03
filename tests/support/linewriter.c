// Writes numbered, checksummed lines into the json-file logs of containers: the ledger that delivery is
// judged against (tests/support/delivery.py).
//   linewriter SOURCE=PATH=RATE=BYTES=FIRST...
// appends RATE lines a second of about BYTES bytes to each PATH, numbered from FIRST, until SIGTERM; then
// prints "<source> <last number>" for each. A line of text is
//   <source> <seq> <length of the line> <crc32 of all the rest, a digit of it is a letter from a to p> <words>
// A number counts once its line is in the file whole; a full disk is waited for.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kMaxSources = 256, kMaxLine = 16384, kMaxAtOnce = 20000 };

static volatile sig_atomic_t ended = 0;
static void end(int signal_number) {
  (void)signal_number;
  ended = 1;
}

struct source {
  const char* name;
  int fd;
  double rate;
  size_t bytes;
  uint64_t first, next;
  uint64_t last_ns;
};

static uint32_t crc_table[256];
static uint32_t crc32_of(uint32_t crc, const char* text, size_t size) {
  crc = ~crc;
  for (size_t i = 0; i < size; ++i) crc = crc_table[(crc ^ (unsigned char)text[i]) & 255] ^ (crc >> 8);
  return ~crc;
}

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char* const kWords[16] = {"request", "served",  "to",    "client", "after", "waiting", "for",   "a",
                                       "slow",    "backend", "while", "three",  "other", "workers", "slept", "well"};

// One json-file line; how long it is.
static size_t make_line(struct source* source, char* out) {
  char text[kMaxLine];
  char words[kMaxLine];
  size_t size = 0;
  uint64_t dice = source->next * 2862933555777941757u + 3037000493u;
  while (size + 48 < source->bytes && size + 64 < kMaxLine) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    const char* word = kWords[dice >> 60];
    const size_t length = strlen(word);
    memcpy(words + size, word, length);
    size += length;
    words[size++] = ' ';
  }
  words[size++] = '.';
  char head[256];
  // The length counts the line without its end: the head, the checksum, the words and their two blanks.
  int head_size = 0;
  size_t length = 0;
  for (int i = 0; i < 4; ++i) {  // Its own digits count too
    head_size = snprintf(head, sizeof head, "%s %llu %zu", source->name, (unsigned long long)source->next, length);
    length = (size_t)head_size + 1 + 8 + 1 + size;
  }
  uint32_t crc = crc32_of(0, head, (size_t)head_size);
  crc = crc32_of(crc, words, size);
  char checksum[9] = {0};  // Letters: digits beside digits may look like a card number, which is not stored
  for (int i = 0; i < 8; ++i) checksum[i] = (char)('a' + (crc >> (28 - 4 * i) & 15));
  const int text_size = snprintf(text, sizeof text, "%s %s %.*s", head, checksum, (int)size, words);
  uint64_t ns = now_ns(CLOCK_REALTIME);
  if (ns <= source->last_ns) ns = source->last_ns + 1;  // An engine's lines have times of their own.
  source->last_ns = ns;
  const time_t seconds = (time_t)(ns / 1000000000u);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  return (size_t)snprintf(out, kMaxLine, "{\"log\":\"%.*s\\n\",\"stream\":\"stdout\",\"time\":\"%s.%09lluZ\"}\n", text_size,
                          text, stamp, (unsigned long long)(ns % 1000000000u));
}

static void write_whole(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written > 0) {
      data += written;
      size -= (size_t)written;
      continue;
    }
    if (errno != EINTR && errno != ENOSPC) {
      perror("linewriter");
      exit(1);
    }
    usleep(1000);
  }
}

int main(int argc, char** argv) {
  static struct source sources[kMaxSources];
  const int count = argc - 1;
  if (count < 1 || count > kMaxSources) {
    fprintf(stderr, "usage: linewriter SOURCE=PATH=RATE=BYTES=FIRST...\n");
    return 2;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    crc_table[i] = c;
  }
  for (int i = 0; i < count; ++i) {
    struct source* source = &sources[i];
    char* rest = argv[i + 1];
    source->name = strsep(&rest, "=");
    const char* path = strsep(&rest, "=");
    const char* rate = strsep(&rest, "=");
    const char* bytes = strsep(&rest, "=");
    if (rest == NULL || bytes == NULL) {
      fprintf(stderr, "linewriter: SOURCE=PATH=RATE=BYTES=FIRST is incomplete\n");
      return 2;
    }
    source->rate = atof(rate);
    source->bytes = strtoul(bytes, NULL, 10);
    source->first = source->next = strtoull(rest, NULL, 10);
    source->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (source->fd < 0 || source->first == 0) {
      perror(path);
      return 1;
    }
  }
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  char* buffer = malloc((size_t)kMaxLine * 64);
  const uint64_t begin = now_ns(CLOCK_MONOTONIC);
  while (!ended) {
    const double elapsed = (double)(now_ns(CLOCK_MONOTONIC) - begin) / 1e9;
    for (int i = 0; i < count; ++i) {
      struct source* source = &sources[i];
      const uint64_t due = source->first + (uint64_t)(elapsed * source->rate);
      size_t used = 0;
      for (int lines = 0; source->next < due && lines < kMaxAtOnce; ++lines) {
        used += make_line(source, buffer + used);
        ++source->next;
        if (used >= (size_t)kMaxLine * 63) {
          write_whole(source->fd, buffer, used);
          used = 0;
        }
      }
      write_whole(source->fd, buffer, used);
    }
    usleep(5000);
  }
  for (int i = 0; i < count; ++i)
    printf("%s %llu\n", sources[i].name, (unsigned long long)(sources[i].next - 1));
  return 0;
}
