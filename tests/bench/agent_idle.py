"""What the agent costs on an idle host: memory, CPU, bytes on the wire. Real containers of a private dockerd.

With it run the executor and the gateway to Docker, both started as scripts/up starts them: the gateway is always there,
the executor stays only because no systemd listens for it. Without its process its memory is 0.

100 containers of four processes each, with their shims and what runs on the host anyway, are more than 500
processes; --processes starts as many on the host as are missing.
"""
import concurrent.futures
import os
import subprocess
import time

from cluster import Cluster, Docker, wait_until
from executor import Executor

PER_CONTAINER = "sleep 3600 & sleep 3600 & sleep 3600 & wait"  # With its shell four processes


def add_options(parser):
    parser.add_argument("--containers", type=int, default=100, help="idle containers (default %(default)s)")
    parser.add_argument("--processes", type=int, default=500, help="at least so many processes on the host (default %(default)s)")
    parser.add_argument("--duration", type=float, default=60, help="seconds measured (default %(default)s)")
    parser.add_argument("--settle", type=float, default=75, help="seconds until then: first scrapes make series (default %(default)s)")
    parser.add_argument("--perf", metavar="FILE", help="record the agent with perf while measuring")


def memory_mib(pid):
    rss = private = 0
    for line in open(f"/proc/{pid}/smaps_rollup"):
        words = line.split()
        if words[0] == "Rss:":
            rss = int(words[1])
        elif words[0] in ("Private_Clean:", "Private_Dirty:"):
            private += int(words[1])
    return round(rss / 1024, 1), round(private / 1024, 1)


def memory_of(program, name):
    """What is reported of a program beside the agent: 0 only when there is no such process, and that is said."""
    if not program.alive():
        return {f"{name}_process": "none", f"{name}_rss_mib": 0, f"{name}_private_mib": 0}
    rss, private = memory_mib(program.pid)
    return {f"{name}_process": "resident", f"{name}_rss_mib": rss, f"{name}_private_mib": private}


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def last(cluster, name):
    series = cluster.api("GET", "/v1/metrics", target="host")["series"]
    return next(s["last_value"] for s in series if s["name"] == name)


def user_processes():
    """Without kernel threads, which have no command line."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                count += open(f"/proc/{entry}/cmdline", "rb").read(1) != b""
            except OSError:
                pass
    return count


def make_host(docker, options, note):
    """The containers and the processes; gives the processes."""
    image = docker.make_image()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(docker.run, "run", "-d", "--name", f"idle-{i}", image, "/bin/sh", "-c", PER_CONTAINER)
                for i in range(options.containers)]
        for done, run in enumerate(concurrent.futures.as_completed(runs), 1):
            run.result()
            if done % 20 == 0:
                note(f"{done} containers run")
    missing = options.processes - user_processes()
    return [subprocess.Popen(["sleep", "3600"]) for _ in range(max(0, missing))]


def run(bin_dir, options, note):
    docker = Docker().start()
    cluster, sleepers, perf = None, [], None
    try:
        sleepers = make_host(docker, options, note)
        cluster = Cluster(bin_dir, docker.socket)
        executor = Executor(cluster)
        gateway = executor.start_gateway()
        cluster.docker_socket = executor.gateway_socket
        cluster.agent_config("agent")
        cluster.up()
        executor_program = executor.start()
        wait_until("all containers", lambda: len(cluster.api("GET", "/v1/containers")["containers"]) == options.containers)
        pid = cluster.programs["agent"].pid
        note(f"all seen; waiting {options.settle:.0f} s, then measuring for {options.duration:.0f} s")
        time.sleep(options.settle)
        if options.perf:
            perf = subprocess.Popen(["perf", "record", "-q", "-F", "2000", "--call-graph", "dwarf,16384", "-o", options.perf, "-p", str(pid), "--", "sleep", str(options.duration)])
        gateway_cpu = cpu_seconds(gateway.pid)
        cpu, begin, sent = cpu_seconds(pid), time.monotonic(), last(cluster, "observeai_agent_uplink_bytes_sent_total")
        time.sleep(options.duration)
        wall = time.monotonic() - begin
        rss, private = memory_mib(pid)
        return {
            "containers": options.containers,
            "processes": user_processes(),
            "agent_rss_mib": rss,
            "agent_private_mib": private,
            **memory_of(executor_program, "executor"),
            **memory_of(gateway, "gateway"),
            "cpu_percent": round((cpu_seconds(pid) - cpu) / wall * 100, 2),
            "gateway_cpu_percent": round((cpu_seconds(gateway.pid) - gateway_cpu) / wall * 100, 2),
            "wire_bytes_per_s": round((last(cluster, "observeai_agent_uplink_bytes_sent_total") - sent) / wall),
        }
    finally:
        if perf:
            perf.wait()
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
        if cluster:
            cluster.close()
        docker.close()
