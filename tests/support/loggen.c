// Writes numbered, checksummed, time-stamped lines at a steady rate: the ledger that delivery is judged
// against. Static, so that it runs alone in a container image.
//   loggen SOURCE RATE COUNT [BYTES] [stderr]
// RATE lines a second (0 = as fast as possible), COUNT lines (0 = until killed). A line is
//   <source> <seq> <unix ns> <padding> <checksum of what stands before>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t fnv1a(const char* text, size_t size) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  return hash;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: loggen SOURCE RATE COUNT [BYTES] [stderr]\n");
    return 2;
  }
  const double rate = atof(argv[2]);
  const unsigned long long count = strtoull(argv[3], NULL, 10);
  const size_t bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
  const int fd = argc > 5 && strcmp(argv[5], "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO;
  char* line = malloc(bytes + 512);
  const uint64_t begin = now_ns();
  for (unsigned long long seq = 1; count == 0 || seq <= count; ++seq) {
    if (rate > 0) {
      const uint64_t due = begin + (uint64_t)((double)(seq - 1) * 1e9 / rate);
      const uint64_t now = now_ns();
      if (due > now) {
        struct timespec wait = {(time_t)((due - now) / 1000000000u), (long)((due - now) % 1000000000u)};
        nanosleep(&wait, NULL);
      }
    }
    size_t size = (size_t)sprintf(line, "%s %llu %llu ", argv[1], seq, (unsigned long long)now_ns());
    for (; size + 9 < bytes; ++size) line[size] = (char)('a' + (size * 7 + seq) % 26);
    if (line[size - 1] != ' ') line[size++] = ' ';
    size += (size_t)sprintf(line + size, "%08x\n", fnv1a(line, size));
    for (size_t done = 0; done < size;) {
      const ssize_t written = write(fd, line + done, size - done);
      if (written <= 0) return 1;
      done += (size_t)written;
    }
  }
  return 0;
}
