"""Ways to break what is around a program: its disk, its clock. Each says Skipped where a machine cannot."""
import mmap
import os
import pathlib
import struct
import subprocess


class Skipped(Exception):
    """This machine cannot run the test; the message says why."""


def command(*arguments):
    """Runs a tool of the system that changes it; Skipped when it is not allowed or not there."""
    try:
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        raise Skipped(f"{arguments[0]} is not installed") from None
    if done.returncode != 0:
        raise Skipped(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


class Disk:
    """A small ext4 of its own, in a file, mounted on a folder; close() unmounts it."""

    def __init__(self, folder: pathlib.Path, mib: int, image: pathlib.Path):
        self.folder, self.image = folder, image
        self.ballast = folder / "ballast"
        with open(image, "wb") as file:
            file.truncate(mib << 20)
        command("mkfs.ext4", "-q", "-m", "0", "-O", "^resize_inode", image)
        folder.mkdir(exist_ok=True)
        command("mount", "-o", "loop", image, folder)
        os.chmod(folder, 0o711)

    def fill(self):
        """To the last byte, as a neighbour does; what the program gives back meanwhile too."""
        file = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        free = None
        try:
            for _ in range(5):
                for piece in (1 << 20, 4096, 4096, 1):
                    try:
                        while os.write(file, b"x" * piece):
                            pass
                    except OSError:
                        os.sync()  # What was set aside for others may be free now
                free = os.statvfs(self.folder).f_bavail
                if free == 0:
                    return
        finally:
            os.close(file)
        raise AssertionError(f"{self.folder} still has {free} blocks free")

    def free(self):
        self.ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)
        self.image.unlink(missing_ok=True)


class Faults:
    """What faultlib.c does to a program that was started with `prefix`."""

    WRITES, SHORT_WRITES, SYNCS, READS, NAMES = 1, 2, 4, 8, 16
    _LAYOUT = struct.Struct("<qiiiiq")

    def __init__(self, library: pathlib.Path, control: pathlib.Path, under: pathlib.Path):
        control.write_bytes(b"\0" * self._LAYOUT.size)
        with open(control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), self._LAYOUT.size)
        self._shift_ns = 0
        self.prefix = ["env", f"LD_PRELOAD={library}", f"OBSERVEAI_FAULTS={control}", f"OBSERVEAI_FAULTS_UNDER={under}"]

    def shift_clock(self, seconds: float):
        self._shift_ns = int(seconds * 1e9)
        self._map[0:8] = struct.pack("<q", self._shift_ns)

    def fail(self, kinds: int, error: int, per_mille=1000):
        self._map[8:20] = struct.pack("<iii", 0, error, per_mille)
        self._map[8:12] = struct.pack("<i", kinds)

    def heal(self):
        self.fail(0, 0, 0)

    @property
    def failed(self) -> int:
        """How many calls have failed so far."""
        return struct.unpack("<i", self._map[20:24])[0]


class Cable:
    """A network namespace whose only way out is wire.c. `prefix` runs a program in it; `here` is our address."""

    FIELDS = ("cut_to_here", "cut_to_there", "lose_per_mille", "double_per_mille", "late_per_mille", "late_ms",
              "dead_port", "lost", "doubled", "late")

    def __init__(self, wire: pathlib.Path, folder: pathlib.Path, number: int):
        self.name = f"oaf-{os.getpid()}"
        self.here, self.there = (f"10.{64 + number % 190}.{number // 190 % 250}.{i}" for i in (1, 2))
        self.prefix = ["ip", "netns", "exec", self.name]
        if not os.path.exists("/dev/net/tun"):
            raise Skipped("no /dev/net/tun")
        command("ip", "netns", "add", self.name)
        control = folder / "wire.control"
        control.write_bytes(b"\0" * 4 * len(self.FIELDS))
        with open(control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        here, there = f"oah{os.getpid()}", f"oat{os.getpid()}"
        self._process = subprocess.Popen([wire, f"/run/netns/{self.name}", here, there, control], stdout=subprocess.PIPE)
        if self._process.stdout.readline() != b"ready\n":
            self.close()
            raise Skipped("no TUN devices")
        command("ip", "addr", "add", self.here, "peer", self.there, "dev", here)
        command("ip", "link", "set", here, "up")
        command(*self.prefix, "ip", "addr", "add", self.there, "peer", self.here, "dev", there)
        command(*self.prefix, "ip", "link", "set", there, "up")
        command(*self.prefix, "ip", "link", "set", "lo", "up")

    def set(self, **fields):
        for name, value in fields.items():
            at = 4 * self.FIELDS.index(name)
            self._map[at:at + 4] = struct.pack("<i", value)

    def heal(self):
        self.set(**{name: 0 for name in self.FIELDS[:7]})

    def count(self, name: str) -> int:
        at = 4 * self.FIELDS.index(name)
        return struct.unpack("<i", self._map[at:at + 4])[0]

    def ports_to(self, port: int) -> list:
        """The ports from which programs in there hold connections to a port of ours."""
        out = command(*self.prefix, "ss", "-Htn", "state", "established", "dport", "=", f":{port}")
        return [int(line.split()[2].rsplit(":", 1)[1]) for line in out.splitlines()]

    def close(self):
        self._process.terminate()
        self._process.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=True)
