"""What a signal costs on the wire: bytes of a metric sample, compression of logs, an idle host's bytes a second.

A real agent with its own collectors, a real Docker with idle containers, and what the agent itself counts as sent:
sealed batches of all lanes and hellos. Then containers print log lines at a given pace: generated ones in five styles
(web access, Java, JSON, database, systemd; tests/bench/load/workload.cc), and with --recorded the lines of a file.
"""
import pathlib
import sqlite3
import subprocess
import time

from cluster import Cluster, Docker, wait_until

SENT = "observeai_agent_uplink_bytes_sent_total"


def add_options(parser):
    parser.add_argument("--containers", type=int, default=100, help="idle containers (default %(default)s)")
    parser.add_argument("--duration", type=float, default=60, help="seconds of idling measured (default %(default)s)")
    parser.add_argument("--log-mb", type=float, default=20, help="raw megabytes of generated lines (default %(default)s)")
    parser.add_argument("--log-mb-per-s", type=float, default=1, help="their pace (default %(default)s)")
    parser.add_argument("--recorded", type=pathlib.Path, help="a file of recorded log lines, for a second ratio")


def stored(cluster):
    """Samples, and the bytes of their bodies, that the store holds."""
    samples = size = 0
    for path in sorted((cluster.home / "controlplane/store/telemetry").glob("p-*.db")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            row = db.execute("SELECT coalesce(sum(b.n),0), coalesce(sum(length(c.body)),0) FROM batches b JOIN sample_chunks c USING(no)").fetchone()
            samples, size = samples + row[0], size + row[1]
    return samples, size


def sent(cluster):
    """What the agent had sent at its newest scrape, and when that was (unix ms)."""
    series = cluster.api("GET", "/v1/metrics", target="host")["series"]
    one = next(s for s in series if s["name"] == SENT)
    return one["last_value"], one["last_ts_ms"]


def sent_after(cluster, moment_ms):
    """The first scrape after a moment."""
    return wait_until("a scrape", lambda: (now := sent(cluster))[1] > moment_ms and now, 40, 0.2)


def measure_idle(cluster, seconds):
    first, first_ms = sent_after(cluster, sent(cluster)[1])
    samples, size = stored(cluster)
    time.sleep(seconds)
    last, last_ms = sent_after(cluster, sent(cluster)[1])
    more_samples, more_size = stored(cluster)
    return {
        "idle_bytes_per_s": round((last - first) / (last_ms - first_ms) * 1000),
        "samples": more_samples - samples,
        "bytes_per_sample": round((last - first) / (more_samples - samples), 2),
        "body_bytes_per_sample": round((more_size - size) / (more_samples - samples), 2),
    }


def print_paced(docker, image, lines, bytes_per_s):
    """One container that prints the lines at a pace; returns their bytes."""
    command = ["docker", "-H", f"unix://{docker.socket}", "run", "-i", "--rm", image, "/bin/cat"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    begin, total = time.monotonic(), 0
    for line in lines:
        process.stdin.write(line)
        total += len(line)
        ahead = total / bytes_per_s - (time.monotonic() - begin)
        if ahead > 0.05:
            process.stdin.flush()
            time.sleep(ahead)
    process.stdin.close()
    if process.wait(60) != 0:
        raise AssertionError("the container that printed the lines failed")
    return total


def measure_logs(cluster, docker, image, lines, options, idle_bytes_per_s):
    first, first_ms = sent_after(cluster, sent(cluster)[1])
    total = print_paced(docker, image, lines, options.log_mb_per_s * 1e6)
    time.sleep(12)  # A whole scrape after the last line was sent
    last, last_ms = sent_after(cluster, sent(cluster)[1])
    logs = last - first - idle_bytes_per_s * (last_ms - first_ms) / 1000
    return round(total / logs, 2)


def run(bin_dir, options, note):
    docker = Docker().start()
    cluster = None
    try:
        image = docker.make_image()
        cluster = Cluster(bin_dir, docker.socket).up()
        note(f"starting {options.containers} containers")
        for i in range(options.containers):
            docker.run("run", "-d", "--name", f"idle-{i}", image, "/bin/sleep", "3600")
        wait_until("all containers", lambda: len(cluster.api("GET", "/v1/containers")["containers"]) == options.containers, 60)
        time.sleep(20)  # First scrapes create the series; idle is what comes after.
        note(f"idling for {options.duration:.0f} s")
        result = {"containers": options.containers, **measure_idle(cluster, options.duration)}
        note(f"printing {options.log_mb} MB of generated lines at {options.log_mb_per_s} MB/s")
        count = round(options.log_mb * 1e6 / 160)
        generated = subprocess.run([bin_dir / "bench_fleet_load", "lines", str(count)], capture_output=True, check=True).stdout
        result["log_ratio"] = measure_logs(cluster, docker, image, generated.splitlines(keepends=True), options, result["idle_bytes_per_s"])
        result["log_style"] = "generated"
        if options.recorded:
            note(f"printing {options.recorded}")
            lines = options.recorded.read_bytes().splitlines(keepends=True)
            result["log_ratio_recorded"] = measure_logs(cluster, docker, image, lines, options, result["idle_bytes_per_s"])
        result["log_mb_per_s"] = options.log_mb_per_s
        return result
    finally:
        if cluster:
            cluster.close()
        docker.close()
