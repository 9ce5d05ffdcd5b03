"""A FUSE file system that answers nobody until it is let go: what a dead network mount looks like. Needs root
and /dev/fuse. Standard library only."""
import ctypes
import os
import pathlib

_libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


class HungMount:
    def __init__(self, path: pathlib.Path):
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"hung", os.fsencode(path), b"fuse", 0, options.encode()) != 0:
            problem = os.strerror(ctypes.get_errno())
            os.close(self._device)
            self._device = None
            raise OSError(f"no FUSE mount: {problem}")

    def let_go(self):
        """All calls that hang return with an error."""
        if self._device is not None:
            os.close(self._device)
            self._device = None

    def close(self):
        self.let_go()
        _libc.umount2(os.fsencode(self.path), MNT_DETACH)
