"""A FUSE file system that shows a folder, read-only, and stops answering when told: a server that comes and goes.
Needs root and /dev/fuse. Standard library only; the protocol is that of linux/fuse.h, version 7.31."""
import ctypes
import errno
import os
import pathlib
import select
import stat
import struct
import threading

_libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
LOOKUP, FORGET, GETATTR, READLINK, OPEN, READ, STATFS, RELEASE, INIT = 1, 2, 3, 5, 14, 15, 17, 18, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 36, 38, 42
UNANSWERED = (FORGET, BATCH_FORGET, INTERRUPT)
DIRECT_IO = 1
ROOT = 1


class ServedMount:
    def __init__(self, path: pathlib.Path, shown: pathlib.Path):
        """Mounts `shown` on `path`. OSError: this machine has no FUSE."""
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.answers = threading.Event()
        self.answers.set()
        self._nodes = {ROOT: os.open(shown, os.O_RDONLY)}  # By inode number; kept until the end
        self._ended = False
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"served", os.fsencode(path), b"fuse", 1, options.encode()) != 0:
            problem = os.strerror(ctypes.get_errno())
            os.close(self._device)
            raise OSError(f"no FUSE mount: {problem}")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def hang(self):
        """Nobody is answered any more, whatever is asked."""
        self.answers.clear()

    def answer(self):
        """What was asked meanwhile is answered too."""
        self.answers.set()

    def close(self):
        self._ended = True
        self.answers.set()
        self._thread.join(timeout=10)
        os.close(self._device)  # Ends every call that still waits
        _libc.umount2(os.fsencode(self.path), MNT_DETACH)
        for descriptor in self._nodes.values():
            os.close(descriptor)

    def _serve(self):
        while not self._ended:
            readable, _, _ = select.select([self._device], [], [], 0.2)
            self.answers.wait()
            if not readable or self._ended:
                continue
            try:
                request = os.read(self._device, 1 << 17)
            except BlockingIOError:
                continue
            except OSError as problem:
                if problem.errno == errno.ENOENT:  # It was interrupted meanwhile
                    continue
                return  # Unmounted
            self.answers.wait()
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in UNANSWERED:
                continue
            try:
                body, error = self._handle(opcode, node, request[40:]), 0
            except OSError as problem:
                body, error = b"", problem.errno
            try:
                os.write(self._device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
            except OSError as problem:
                if problem.errno != errno.ENOENT:
                    return

    def _handle(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 0, 0, 1 << 16, 1, 0, 0, 0, *[0] * 7)
        if opcode == LOOKUP:
            found = os.open(body.rstrip(b"\0"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._nodes[node])
            number = os.fstat(found).st_ino
            if number in self._nodes:
                os.close(found)
            else:
                self._nodes[number] = found
            return struct.pack("<QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)
        if opcode == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, DIRECT_IO if opcode == OPEN else 0, 0)
        if opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return os.pread(self._nodes[node], size, offset)
        if opcode == READDIR:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self._names(node, offset, size)
        if opcode in (RELEASE, RELEASEDIR, DESTROY):
            return b""
        raise OSError(errno.ENOSYS, "not implemented")

    def _attributes(self, node):
        of = os.fstat(self._nodes[node])
        whole, part = divmod(of.st_mtime_ns, 10**9)
        return struct.pack("<QQQQQQIIIIIIIIII", node, of.st_size, of.st_blocks, whole, whole, whole, part, part, part,
                           of.st_mode, of.st_nlink, of.st_uid, of.st_gid, 0, 4096, 0)

    def _names(self, node, offset, size):
        out = b""
        names = sorted(os.scandir(self._nodes[node]), key=lambda entry: entry.name)
        for place, entry in enumerate(names[offset:], offset + 1):
            name = os.fsencode(entry.name)
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) >> 12
            one = struct.pack("<QQII", entry.inode(), place, len(name), kind) + name
            one += b"\0" * (-len(one) % 8)
            if len(out) + len(one) > size:
                break
            out += one
        return out
