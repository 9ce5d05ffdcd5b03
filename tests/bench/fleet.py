"""Many agents at once: simulated ones over real TLS and MQTT, before the real broker and control plane.

Each agent has a certificate of its own, says hello, sends what a small host sends and waits for its acks. With
--storm the broker is restarted in the middle, and all of them come back as real agents do. Afterwards the store is
compared with what was sent, sample by sample and line by line.
"""
import time

from load_run import Load, Watch


def add_options(parser):
    parser.add_argument("--agents", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--series", type=int, default=100, help="of each agent (default %(default)s)")
    parser.add_argument("--scrape-s", type=float, default=10, help="seconds between scrapes (default %(default)s)")
    parser.add_argument("--lines", type=float, default=1, help="log lines a second of each agent (default %(default)s)")
    parser.add_argument("--duration", type=int, default=60, help="seconds measured (default %(default)s)")
    parser.add_argument("--storm", action="store_true", help="restart the broker in the middle")
    parser.add_argument("--lists", action="store_true", help="time GET /v1/hosts, /v1/services and /v1/processes")


def time_lists(cluster, note):
    """Median of five answers of each list, in milliseconds."""
    out = {}
    for path in ("hosts", "services", "processes", "containers"):
        taken = []
        for _ in range(5):
            begin = time.monotonic()
            cluster.api("GET", f"/v1/{path}")
            taken.append((time.monotonic() - begin) * 1000)
        out[f"{path}_ms"] = round(sorted(taken)[2], 1)
        note(f"GET /v1/{path}: {out[f'{path}_ms']} ms")
    return out


def run(bin_dir, options, note):
    load = Load(bin_dir, options.agents, note)
    try:
        live = end = settled = watch = measured = lost_at = None
        lists, storm = {}, {}
        for event in load.events("steady", load.roster, load.cluster.broker_port, options.agents, options.duration,
                                 options.series, options.scrape_s, options.lines, load.ledger):
            note(str(event))
            kind = event["event"]
            if kind == "live":
                live = event
            elif kind == "steady":
                watch = Watch(load.cluster)
                if options.storm:
                    time.sleep(options.duration / 3)
                    note("restarting the broker")
                    watch.pids.pop("broker")  # The next one is another process
                    load.cluster.stop("broker")
                    load.cluster.start("broker")
            elif kind == "lost_some" and lost_at is None:
                lost_at = event["ts_ms"]
            elif kind == "all_live" and lost_at is not None:
                storm["all_back_s"] = round((event["ts_ms"] - lost_at) / 1000, 1)
            elif kind == "end":
                end = event
                measured = watch.stop()
            elif kind in ("settled", "unsettled"):
                settled = event
        if options.lists:
            lists = time_lists(load.cluster, note)
        verdict = load.judge()
        return {
            "agents": options.agents,
            "connect_s": round(live["connect_s"], 1),
            "cp_rss_mib": measured["cp_rss_mib"],
            "broker_rss_mib": measured.get("broker_rss_mib"),
            "cpu_percent": round(measured["cp_cpu_percent"] + measured.get("broker_cpu_percent", 0), 1),
            "cp_cpu_percent": measured["cp_cpu_percent"],
            "broker_cpu_percent": measured.get("broker_cpu_percent"),
            "ack_p50_ms": round(settled["ack_p50_ms"], 1),
            "ack_p99_ms": round(settled["ack_p99_ms"], 1),
            "ack_max_ms": round(settled["ack_max_ms"], 1),
            "resent": int(settled["batches_resent"]),
            "connections_lost": int(end["connections_lost"]),
            "samples": verdict["samples"],
            "log_lines": verdict["log_lines"],
            "lost": verdict["lost"],
            "duplicated": verdict["duplicated"],
            "damaged": verdict["damaged"],
            **storm,
            **lists,
        }
    finally:
        load.close()
