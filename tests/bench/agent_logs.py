"""What logs cost the agent: followed, redacted, packed, fsynced, sealed and sent to a real broker and control plane.

paced: lines arrive at a steady rate; memory and CPU of the agent. flat: the agent meets a log that is already
there, on one core, and takes it into its spool as fast as it can, while it sends. The log is a json-file as
Docker's engine writes it; only the engine is not real, for it would cost more than the agent. The judge is
the number in each line, read back through the control plane.
"""
import ctypes
import os
import pathlib
import select
import shutil
import struct
import subprocess
import tempfile
import threading
import time

from agent_idle import cpu_seconds
from cluster import Cluster, Program, wait_until
from fake_engine import FakeEngine

SOURCE = "web"
IN_ACCESS = 0x1
QUIET_S = 0.5  # The reader has reached the end when it has not read for this long


def add_options(parser):
    parser.add_argument("--mode", choices=("paced", "flat"), default="paced", help="default %(default)s")
    parser.add_argument("--lines", choices=("access", "mix"), default="mix", help="what is logged (default %(default)s)")
    parser.add_argument("--rate", type=float, default=10, help="paced: MB/s (default %(default)s)")
    parser.add_argument("--duration", type=float, default=30, help="paced: seconds measured (default %(default)s)")
    parser.add_argument("--input-mb", type=int, default=256, help="flat: size of the log in MB (default %(default)s)")


def status_mib(pid, field):
    line = next(line for line in open(f"/proc/{pid}/status") if line.startswith(field + ":"))
    return round(int(line.split()[1]) / 1024, 1)


def threads_cpu(pid):
    """CPU seconds of each thread, by name."""
    out = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        text = open(f"/proc/{pid}/task/{thread}/stat").read()
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text.rsplit(")", 1)[1].split()
        out[name] = out.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return out


class ReadWatch:
    """When a file is read, by inotify, and the CPU time that its reader had used by then."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        assert libc.inotify_add_watch(self.fd, os.fsencode(path), IN_ACCESS) >= 0
        self.first = self.last = None
        self.pid = None
        self.cpu = [0.0, 0.0]
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.done.is_set():
            ready, _, _ = select.select([self.fd], [], [], QUIET_S)
            now = time.monotonic()
            if not ready:
                if self.last is not None:
                    self.done.set()
                continue
            os.read(self.fd, 64 * struct.calcsize("iIII"))
            if self.first is None:
                self.first, self.cpu[0] = now, cpu_seconds(self.pid)
            self.last, self.cpu[1] = now, cpu_seconds(self.pid)
            time.sleep(0.005)

    def close(self):
        self.done.set()
        self.thread.join()
        os.close(self.fd)


def write_log(bin_dir, log, kind, size, *rate):
    return subprocess.Popen([bin_dir / "bench_log_writer", log, SOURCE, kind, str(size), *map(str, rate)],
                            stdout=subprocess.PIPE, text=True)


def count_stored(cluster, lines, note):
    """(lost, duplicated) once all has arrived or nothing more comes."""
    note(f"waiting for {lines} lines in the control plane")

    def arrived():
        return sum(entry["records_stored"] for entry in cluster.api("GET", "/v1/ledger")["rows"]
                   if entry["source"].startswith("log/"))
    try:
        wait_until("every line", lambda: arrived() >= lines, 300, 1)
    except AssertionError:
        pass  # What is missing is counted below.
    note("reading them back")
    times = bytearray(lines + 1)
    duplicated = 0
    for row in cluster.all_logs(SOURCE):
        number = int(row["text"].split(" ", 2)[1])
        duplicated += times[number] > 0
        times[number] = 1
    return lines - sum(times), duplicated


def paced(cluster, log, bin_dir, options, note):
    rate = options.rate * 1e6
    warm_up = 5.0
    pid = cluster.programs["agent"].pid
    wait_until("the container", lambda: cluster.api("GET", "/v1/containers")["containers"])
    writer = write_log(bin_dir, log, options.lines, int(rate * (options.duration + warm_up + 1)), rate)
    time.sleep(warm_up)  # The first seconds fill buffers and caches
    note(f"{options.rate:g} MB/s for {options.duration:.0f} s")
    cpu, threads, begin, rss = cpu_seconds(pid), threads_cpu(pid), time.monotonic(), 0
    while time.monotonic() - begin < options.duration:
        rss = max(rss, status_mib(pid, "VmRSS"))
        time.sleep(0.25)
    wall = time.monotonic() - begin
    used = cpu_seconds(pid) - cpu
    by_thread = {name: round((value - threads.get(name, 0)) / wall * 100, 2) for name, value in threads_cpu(pid).items()}
    lines = int(writer.communicate(timeout=60)[0])
    lost, duplicated = count_stored(cluster, lines, note)
    return {"mode": "paced", "lines": options.lines, "input_mb": round(log.stat().st_size / 1e6),
            "mb_per_s": options.rate, "mb_per_cpu_s": round(rate * wall / used / 1e6), "rss_mib": rss,
            "cpu_percent": round(used / wall * 100, 2), "cpu_percent_by_thread": by_thread, "lost": lost,
            "duplicated": duplicated}


def flat(cluster, log, bin_dir, options, note):
    lines = int(write_log(bin_dir, log, options.lines, options.input_mb * 1_000_000).communicate()[0])
    size = log.stat().st_size
    os.sync()
    with open(log, "rb") as file:  # Into the page cache: the disk is not measured
        while file.read(1 << 20):
            pass
    watch = ReadWatch(log)
    note(f"{lines} lines are there; starting the agent on CPU 0")
    try:
        config = cluster.home / "agent.toml"
        program = Program(["taskset", "-c", "0", cluster.bin / "observeai-agent", "run", "--config", config], cluster.home / "agent.log")
        watch.pid = program.pid
        cluster.programs["agent"] = program
        watch.done.wait(120)
        peak = status_mib(program.pid, "VmHWM")
    finally:
        watch.close()
    wall, used = watch.last - watch.first, watch.cpu[1] - watch.cpu[0]
    cluster.wait_online()
    lost, duplicated = count_stored(cluster, lines, note)
    return {"mode": "flat", "lines": options.lines, "input_mb": round(size / 1e6), "mb_per_s": round(size / wall / 1e6),
            "mib_per_s": round(size / wall / 2**20), "mb_per_cpu_s": round(size / used / 1e6), "rss_mib": peak,
            "cpu_percent": round(used / wall * 100), "lost": lost, "duplicated": duplicated}


def run(bin_dir, options, note):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oal-", dir="/tmp"))
    engine = FakeEngine(folder)
    cluster = None
    try:
        log = engine.create(SOURCE)
        cluster = Cluster(bin_dir, engine.socket).up(agent=False)
        cluster.enroll("agent")
        if options.mode == "flat":
            return flat(cluster, log, bin_dir, options, note)
        cluster.start("agent")
        cluster.wait_online()
        return paced(cluster, log, bin_dir, options, note)
    finally:
        if cluster:
            cluster.close()
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)
