"""How much the broker and the control plane take together: samples and raw log lines, flat out.

Simulated agents send batches that were made and sealed before, over TLS and MQTT, within the window and credit of
real ones; the clock runs from the first batch to the last acknowledgement. The load's own CPU time is told apart: it
runs on the same cores. Afterwards the store is compared with what was sent.
"""
from load_run import Load, Watch


def add_options(parser):
    parser.add_argument("--agents", type=int, default=64, help="(default %(default)s)")
    parser.add_argument("--per-batch", type=int, default=1000, help="samples of a batch (default %(default)s)")
    parser.add_argument("--lines", type=int, default=2000, help="log lines of a batch (default %(default)s)")
    parser.add_argument("--samples", type=float, default=30e6, help="samples in all (default %(default).0f)")
    parser.add_argument("--log-mb", type=float, default=2000, help="raw log megabytes in all (default %(default).0f)")


def one(bin_dir, options, note, kind, per_batch, batches):
    load = Load(bin_dir, options.agents, note)
    watch = result = None
    try:
        note(f"{kind}: sealing {batches} batches of {per_batch} for each of {options.agents} agents")
        for event in load.events("saturate", load.roster, load.cluster.broker_port, options.agents, kind, per_batch,
                                 batches, load.ledger):
            if event["event"] == "begin":
                watch = Watch(load.cluster)
            elif event["event"] == "end":
                result = {**event, **watch.stop()}
        verdict = load.judge()
        note(f"{kind}: {result}")
        assert result["settled"] == 1, f"{kind}: not everything was acknowledged"
        return result, verdict
    finally:
        load.close()


def run(bin_dir, options, note):
    batches = max(1, round(options.samples / options.agents / options.per_batch))
    samples, samples_verdict = one(bin_dir, options, note, "samples", options.per_batch, batches)
    batches = max(1, round(options.log_mb * 1e6 / options.agents / options.lines / 160))
    logs, logs_verdict = one(bin_dir, options, note, "logs", options.lines, batches)
    seconds = samples["seconds"]
    both = samples["cp_cpu_s"] + samples["broker_cpu_s"]
    log_both = logs["cp_cpu_s"] + logs["broker_cpu_s"]
    return {
        "samples_per_s": round(samples["samples_acked"] / seconds),
        "samples_per_cpu_s": round(samples["samples_acked"] / both),
        "log_mb_per_s": round(logs["log_bytes_acked"] / 1e6 / logs["seconds"], 1),
        "log_mb_per_cpu_s": round(logs["log_bytes_acked"] / 1e6 / log_both, 1),
        "cpu_percent": round(both / seconds * 100, 1),
        "cp_cpu_percent": samples["cp_cpu_percent"],
        "broker_cpu_percent": samples["broker_cpu_percent"],
        "load_cpu_percent": round(samples["load_cpu_s"] / seconds * 100, 1),
        "log_cpu_percent": round(log_both / logs["seconds"] * 100, 1),
        "log_cp_cpu_percent": logs["cp_cpu_percent"],
        "log_broker_cpu_percent": logs["broker_cpu_percent"],
        "rss_mib": round(max(r["cp_rss_mib"] + r["broker_rss_mib"] for r in (samples, logs)), 1),
        "cp_rss_mib": max(samples["cp_rss_mib"], logs["cp_rss_mib"]),
        "broker_rss_mib": max(samples["broker_rss_mib"], logs["broker_rss_mib"]),
        "ack_p99_ms": round(samples["ack_p99_ms"], 1),
        "batches": int(samples["batches_acked"]),
        "resent": int(samples["batches_resent"] + logs["batches_resent"]),
        "samples": int(samples["samples_acked"]),
        "log_mb": round(logs["log_bytes_acked"] / 1e6),
        "wire_bytes_per_sample": round(samples["bytes_sent"] / samples["samples_acked"], 2),
        "log_ratio": round(logs["log_bytes_acked"] / logs["bytes_sent"], 2),
        "lost": samples_verdict["lost"] + logs_verdict["lost"],
        "duplicated": samples_verdict["duplicated"] + logs_verdict["duplicated"],
        "damaged": samples_verdict["damaged"] + logs_verdict["damaged"],
    }
