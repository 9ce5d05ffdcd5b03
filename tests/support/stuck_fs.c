// A file system that hangs: mounted with FUSE, it answers the mount itself and then nothing any more, like a
// dead file server. Whoever asks it (statfs, stat) waits until this program ends.
//   stuck_fs FOLDER      prints "ready"; needs root; the caller unmounts with umount -l
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: stuck_fs FOLDER\n");
    return 2;
  }
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    perror("/dev/fuse");
    return 1;
  }
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
  // The kind of a network file system that answers no more; it is measured like a local one.
  if (mount("stuck", argv[1], "fuse.stuck", MS_NOSUID | MS_NODEV, options) != 0) {
    perror("mount");
    return 1;
  }
  static char request[1 << 20];
  for (int said = 0;;) {
    if (read(fd, request, sizeof request) < (ssize_t)sizeof(struct fuse_in_header)) return 0;  // Unmounted
    const struct fuse_in_header* in = (const struct fuse_in_header*)request;
    if (in->opcode == FUSE_INIT) {
      struct fuse_init_out init;
      memset(&init, 0, sizeof init);
      init.major = FUSE_KERNEL_VERSION;
      init.minor = FUSE_KERNEL_MINOR_VERSION;
      init.max_write = 4096;
      struct fuse_out_header out = {sizeof out + sizeof init, 0, in->unique};
      struct iovec parts[2] = {{&out, sizeof out}, {&init, sizeof init}};
      if (writev(fd, parts, 2) < 0) return 1;
      puts("ready");
      fflush(stdout);
    } else if (!said) {
      said = 1;
      puts("asked");
      fflush(stdout);
    }
  }
}
