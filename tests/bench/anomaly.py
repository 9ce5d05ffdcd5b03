"""Anomalies in the series of a benchmark set (nab or kpi), written as its scorer reads them."""
import json
import pathlib
import subprocess
import sys

TARGETS = ["bench_anomaly"]


def add_options(parser):
    parser.add_argument("set", choices=["nab", "kpi"], help="format of the files, and nothing else")
    parser.add_argument("input", type=pathlib.Path, metavar="INPUT", help="input folder of the set")
    parser.add_argument("output", type=pathlib.Path, metavar="OUT", help="folder for one result file per series")


def run(bin_dir, options, note):
    note("one line for each series")
    done = subprocess.run([bin_dir / "bench_anomaly", options.set, options.input, options.output],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)
