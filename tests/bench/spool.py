"""How fast the agent's queue on disk takes batches, durably, and how fast it opens with 1 GiB in it."""
import json
import subprocess
import tempfile


def add_options(parser):
    parser.add_argument("--mib", type=int, default=512, help="written for the rate (default %(default)s)")
    parser.add_argument("--body-kib", type=int, default=256, help="length of a batch (default %(default)s)")
    parser.add_argument("--folder", default=None, help="on the disk to measure (default: the temporary folder)")


def run(bin_dir, options, note):
    note("committing, then filling 1 GiB and opening it")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        done = subprocess.run([bin_dir / "bench_spool_rate", folder, str(options.mib), str(options.body_kib)],
                              capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
