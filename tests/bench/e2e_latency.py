"""From a container's start, exit, log line and OOM kill to what the console shows, with a real Docker.

A log line carries the time it was written; it is read through the API's live stream. A container's start
and exit are measured from the engine's own time stamp until GET /v1/containers shows the new state.
"""
import threading
import time

from cluster import Cluster, Docker, Oracle, wait_until


def add_options(parser):
    parser.add_argument("--containers", type=int, default=10, help="containers that log (default %(default)s)")
    parser.add_argument("--rate", type=float, default=10, help="lines a second of each (default %(default)s)")
    parser.add_argument("--duration", type=float, default=30, help="seconds of logging (default %(default)s)")
    parser.add_argument("--starts", type=int, default=30, help="containers started and stopped (default %(default)s)")
    parser.add_argument("--ooms", type=int, default=5, help="containers killed for lack of memory (default %(default)s)")


def percentile(values, share):
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def engine_ms(docker, name, field):
    """An engine time stamp such as State.StartedAt in unix milliseconds."""
    import datetime
    text = docker.run("inspect", "-f", "{{.State." + field + "}}", name)
    whole, fraction = text.rstrip("Z").split(".") if "." in text else (text.rstrip("Z"), "0")
    seconds = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc).timestamp()
    return seconds * 1000 + float("0." + fraction) * 1000


class StateWatch:
    """Notes when GET /v1/containers first shows a container in a state; its own resolution is one request."""

    def __init__(self, cluster):
        self.first = {}
        self.cluster = cluster
        self.stopping = False
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.stopping:
            rows = self.cluster.api("GET", "/v1/containers", all="true")["containers"]
            now = time.time() * 1000
            for row in rows:
                self.first.setdefault((row["name"], row["state"]), now)
            time.sleep(0.02)

    def end(self):
        self.stopping = True
        self.thread.join(5)


def measure_states(cluster, docker, image, count):
    watch = StateWatch(cluster)
    started, exited = [], []
    for i in range(count):
        name = f"probe-{i}"
        docker.run("run", "-d", "--name", name, image, "/bin/sleep", "0.7")
        wait_until(f"{name} runs", lambda: (name, "running") in watch.first, 10, 0.02)
        wait_until(f"{name} ended", lambda: (name, "exited") in watch.first, 10, 0.02)
        started.append(watch.first[(name, "running")] - engine_ms(docker, name, "StartedAt"))
        exited.append(watch.first[(name, "exited")] - engine_ms(docker, name, "FinishedAt"))
        docker.run("rm", name)
    watch.end()
    return started, exited


def measure_ooms(cluster, docker, image, count):
    seen = {}
    end = cluster.follow("/v1/events/follow", lambda event, data, now_ns: event == "event" and data["kind"] == "container.oom"
                         and seen.setdefault(data["name"], now_ns / 1e6 - data["ts_ms"]), kind="container.oom", tail=0)
    for i in range(count):
        docker.run("run", "-d", "--name", f"oom-{i}", "--memory", "16m", "--memory-swap", "16m", image, "/bin/sh", "-c",
                   "x=$(head -c 268435456 /dev/zero | tr '\\0' x); sleep 60")
        wait_until(f"the OOM kill of oom-{i}", lambda: f"oom-{i}" in seen, 20, 0.02)
    end()
    return list(seen.values())


def measure_logs(cluster, docker, image, options):
    delays, rows = [], {}
    lock = threading.Lock()

    def on_event(event, row, now_ns):
        if event != "log":
            return
        with lock:
            rows.setdefault(row["name"], []).append(row)
            delays.append((now_ns - int(row["text"].split(" ")[2])) / 1e6)

    count = int(options.rate * options.duration)
    end = cluster.follow("/v1/logs/follow", on_event, tail=0)
    names = [f"log-{i}" for i in range(options.containers)]
    for name in names:
        docker.run("run", "-d", "--name", name, image, "/bin/loggen", name, str(options.rate), str(count), "120")
    wait_until("every line", lambda: sum(map(len, rows.values())) >= count * len(names), options.duration + 60, 0.2)
    end()
    lost = doubled = 0
    for name in names:
        stored = cluster.all_logs(name)
        numbers = [int(row["text"].split(" ")[1]) for row in stored]
        lost += count - len(set(numbers))
        doubled += len(numbers) - len(set(numbers))
        problems = Oracle(name).problems(stored, count)
        assert bool(problems) == bool(lost or doubled), problems
    return delays, lost, doubled


def run(bin_dir, options, note):
    docker = Docker().start()
    cluster = None
    try:
        image = docker.make_image()
        cluster = Cluster(bin_dir, docker.socket).up()
        note(f"logging from {options.containers} containers for {options.duration:.0f} s")
        delays, lost, doubled = measure_logs(cluster, docker, image, options)
        note(f"starting and stopping {options.starts} containers")
        started, exited = measure_states(cluster, docker, image, options.starts)
        note(f"{options.ooms} OOM kills")
        ooms = measure_ooms(cluster, docker, image, options.ooms)
        return {
            "container_start_p50_ms": percentile(started, 0.50),
            "container_start_p99_ms": percentile(started, 0.99),
            "container_exit_p99_ms": percentile(exited, 0.99),
            "log_line_p50_ms": percentile(delays, 0.50),
            "log_line_p99_ms": percentile(delays, 0.99),
            "oom_p99_ms": percentile(ooms, 0.99),
            "lines": len(delays),
            "lost": lost,
            "duplicated": doubled,
        }
    finally:
        if cluster:
            cluster.close()
        docker.close()
