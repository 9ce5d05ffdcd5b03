"""What the agent costs on an idle host with a few containers: memory, CPU, bytes on the wire."""
import os
import time

from cluster import Cluster, Docker, wait_until


def add_options(parser):
    parser.add_argument("--containers", type=int, default=3, help="idle containers (default %(default)s)")
    parser.add_argument("--duration", type=float, default=60, help="seconds measured (default %(default)s)")


def memory_mib(pid):
    rss = private = 0
    for line in open(f"/proc/{pid}/smaps_rollup"):
        words = line.split()
        if words[0] == "Rss:":
            rss = int(words[1])
        elif words[0] in ("Private_Clean:", "Private_Dirty:"):
            private += int(words[1])
    return round(rss / 1024, 1), round(private / 1024, 1)


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def last(cluster, name):
    series = cluster.api("GET", "/v1/metrics", target="host")["series"]
    return next(s["last_value"] for s in series if s["name"] == name)


def run(bin_dir, options, note):
    docker = Docker().start()
    cluster = None
    try:
        image = docker.make_image()
        cluster = Cluster(bin_dir, docker.socket).up()
        for i in range(options.containers):
            docker.run("run", "-d", "--name", f"idle-{i}", image, "/bin/sleep", "3600")
        wait_until("all containers", lambda: len(cluster.api("GET", "/v1/containers")["containers"]) == options.containers)
        time.sleep(15)  # First scrapes create the series; idle is what comes after.
        pid = cluster.programs["agent"].pid
        note(f"measuring for {options.duration:.0f} s")
        cpu, begin, sent = cpu_seconds(pid), time.monotonic(), last(cluster, "observeai_agent_uplink_bytes_sent_total")
        time.sleep(options.duration)
        wall = time.monotonic() - begin
        rss, private = memory_mib(pid)
        return {
            "containers": options.containers,
            "processes": sum(entry.isdigit() for entry in os.listdir("/proc")),
            "agent_rss_mib": rss,
            "agent_private_mib": private,
            "executor_rss_mib": None,
            "cpu_percent": round((cpu_seconds(pid) - cpu) / wall * 100, 2),
            "wire_bytes_per_s": round((last(cluster, "observeai_agent_uplink_bytes_sent_total") - sent) / wall),
        }
    finally:
        if cluster:
            cluster.close()
        docker.close()
