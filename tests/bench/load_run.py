"""What scripts/bench fleet and ingest share: a control plane and a broker with simulated agents before them."""
import json
import os
import subprocess
import threading
import time

from cluster import Cluster


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def child_of(pid):
    """The broker itself, below its supervisor."""
    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return int(children[0]) if children else None


class Watch:
    """Highest memory of the control plane and of the broker, and their CPU time, from start to stop."""

    def __init__(self, cluster):
        self.pids = {"cp": cluster.programs["controlplane"].pid, "broker": child_of(cluster.programs["broker"].pid)}
        self.peak = dict.fromkeys(self.pids, 0.0)
        self.before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        self.begin = time.monotonic()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.stopping.wait(0.2):
            for name, pid in self.pids.items():
                self.peak[name] = max(self.peak[name], rss_mib(pid))

    def stop(self):
        """cp_ and broker_: cpu_s, cpu_percent, rss_mib."""
        self.stopping.set()
        self.thread.join(5)
        wall = time.monotonic() - self.begin
        out = {}
        for name, pid in self.pids.items():
            cpu = cpu_seconds(pid) - self.before[name]
            out |= {f"{name}_cpu_s": round(cpu, 2), f"{name}_cpu_percent": round(cpu / wall * 100, 1),
                    f"{name}_rss_mib": round(self.peak[name], 1)}
        return out


class Load:
    """bench_fleet_load before a cluster of its own, without a real agent."""

    def __init__(self, bin_dir, agents, note):
        self.program = bin_dir / "bench_fleet_load"
        self.note = note
        self.cluster = Cluster(bin_dir)
        self.state = self.cluster.home / "controlplane"
        self.roster = self.cluster.home / "roster"
        self.ledger = self.cluster.home / "ledger"
        note(f"enrolling {agents} agents")
        self.run("enroll", self.state, agents, self.roster)
        self.cluster.start("controlplane")
        self.cluster.start("broker")
        self.cluster.log_in()

    def run(self, *arguments):
        """A step that ends by itself; its last line."""
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, timeout=900)
        if done.returncode != 0:
            raise AssertionError(f"bench_fleet_load {arguments[0]}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None

    def events(self, *arguments):
        """Yields what the program tells, while it runs."""
        process = subprocess.Popen([self.program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        try:
            for line in process.stdout:
                yield json.loads(line)
            if process.wait(30) != 0:
                raise AssertionError(f"bench_fleet_load {arguments[0]} ended with {process.returncode}\n" + self.cluster.tail("controlplane"))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def judge(self):
        """Stops the control plane and compares its store with what the agents gave out."""
        self.cluster.stop("controlplane")
        verdict = self.run("judge", self.state, self.ledger)
        return {key: int(verdict[key]) for key in ("samples", "log_lines", "lost", "duplicated", "damaged")}

    def close(self):
        self.cluster.close()
