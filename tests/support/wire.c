// A cable that can be bad: carries IP packets between the namespace it is started in and another one, and loses,
// doubles, delays and holds them back as a control file says at any moment. For kernels without tc netem.
//   wire OTHER-NAMESPACE-FILE HERE-DEVICE THERE-DEVICE CONTROL-FILE
// makes both TUN devices; the caller gives them addresses. Prints "ready". Ends with SIGTERM.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { kMaxPacket = 2048, kMaxWaiting = 4096 };

struct control {
  volatile int32_t cut_to_here;   // 1: nothing passes in this direction
  volatile int32_t cut_to_there;
  volatile int32_t lose_per_mille;
  volatile int32_t double_per_mille;
  volatile int32_t late_per_mille;  // So many wait late_ms, and are overtaken
  volatile int32_t late_ms;
  volatile int32_t dead_port;  // TCP packets with this port on the other side vanish, both ways
  volatile int32_t lost, doubled, late;  // Counted here
};

static int open_tun(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
    perror("tun");
    exit(1);
  }
  return fd;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int chance(int per_mille) { return random() % 1000 < per_mille; }

// Whether this is a TCP packet from or to a port of the other side.
static int has_port(const unsigned char* packet, size_t size, int port, int from_there) {
  if (port == 0 || size < 40 || packet[0] >> 4 != 4 || packet[9] != 6) return 0;
  const unsigned char* tcp = packet + (packet[0] & 15) * 4;
  if (tcp + 4 > packet + size) return 0;
  const unsigned char* at = from_there ? tcp : tcp + 2;
  return ((at[0] << 8) | at[1]) == port;
}

struct waiting {
  int64_t due_ms;
  int fd;
  size_t size;
  unsigned char packet[kMaxPacket];
};

static void send_packet(int fd, const unsigned char* packet, size_t size) {
  if (write(fd, packet, size) < 0 && errno != EAGAIN && errno != EINVAL && errno != EIO) perror("wire");
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: wire OTHER-NAMESPACE-FILE HERE-DEVICE THERE-DEVICE CONTROL-FILE\n");
    return 2;
  }
  const int file = open(argv[4], O_RDWR | O_CLOEXEC);
  struct control* control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file < 0 || control == MAP_FAILED) {
    perror(argv[4]);
    return 1;
  }
  int fds[2];  // Here, there
  fds[0] = open_tun(argv[2]);
  const int other = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (other < 0 || setns(other, CLONE_NEWNET) != 0) {
    perror(argv[1]);
    return 1;
  }
  fds[1] = open_tun(argv[3]);
  static struct waiting waiting[kMaxWaiting];
  int waiting_count = 0;
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd poll_fds[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};
    poll(poll_fds, 2, waiting_count > 0 ? 1 : 1000);
    const int64_t now = now_ms();
    for (int i = 0; i < waiting_count;) {
      if (waiting[i].due_ms > now) {
        ++i;
        continue;
      }
      send_packet(waiting[i].fd, waiting[i].packet, waiting[i].size);
      waiting[i] = waiting[--waiting_count];
    }
    for (int from = 0; from < 2; ++from) {
      unsigned char packet[kMaxPacket];
      for (int packets = 0; packets < 64; ++packets) {
        const ssize_t size = read(fds[from], packet, sizeof packet);
        if (size <= 0) break;
        const int to = 1 - from;
        if (to == 0 ? control->cut_to_here : control->cut_to_there) continue;
        if (has_port(packet, (size_t)size, control->dead_port, from == 1)) continue;
        if (chance(control->lose_per_mille)) {
          ++control->lost;
          continue;
        }
        if (chance(control->double_per_mille)) {
          ++control->doubled;
          send_packet(fds[to], packet, (size_t)size);
        }
        if (waiting_count < kMaxWaiting && chance(control->late_per_mille)) {
          ++control->late;
          struct waiting* slot = &waiting[waiting_count++];
          slot->due_ms = now + control->late_ms;
          slot->fd = fds[to];
          slot->size = (size_t)size;
          memcpy(slot->packet, packet, (size_t)size);
          continue;
        }
        send_packet(fds[to], packet, (size_t)size);
      }
    }
  }
}
