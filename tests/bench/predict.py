"""When will it be exhausted: forecasts for the series of a folder, one CSV each."""
import json
import pathlib
import subprocess
import sys

TARGETS = ["bench_predict_leaks"]
SETS = {"leaks": "bench_predict_leaks"}


def add_options(parser):
    parser.add_argument("set", choices=sorted(SETS), help="which format INPUT has")
    parser.add_argument("input", type=pathlib.Path, metavar="INPUT", help="folder with the series")
    parser.add_argument("output", type=pathlib.Path, metavar="OUT", help="folder for the forecasts")


def run(bin_dir, options, note):
    note(f"forecasting {options.input}")
    done = subprocess.run([bin_dir / SETS[options.set], options.input, options.output], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)
