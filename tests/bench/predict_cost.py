"""What forecasting costs: both clocks of a resource, a minute of each series."""
import json
import subprocess

TARGETS = ["bench_predict_cost"]


def add_options(parser):
    parser.add_argument("--series", type=int, default=1_000, help="resources at once (default %(default)s)")


def run(bin_dir, options, note):
    note(f"forecasting {options.series} resources")
    done = subprocess.run([bin_dir / "bench_predict_cost", str(options.series)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
