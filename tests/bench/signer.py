"""How fast observeai-signer signs an approved batch: the real program, its socket, its memory on disk."""
import json
import pathlib
import subprocess
import tempfile
import time


def add_options(parser):
    parser.add_argument("--commands", type=int, default=10_000, help="in the batch (default %(default)s)")


def run(bin_dir, options, note):
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        config = home / "signer.toml"
        config.write_text(f'state_dir = "{home}/state"\nsocket = "{home}/signer.sock"\n'
                          "[commands]\ntenant_per_minute = 1000000\ntenant_per_hour = 1000000\n")
        with open(home / "log", "wb") as log:
            signer = subprocess.Popen([bin_dir / "observeai-signer", "run", "--config", config], stderr=log)
        try:
            status = [bin_dir / "observeai-signer", "status", "--config", config]
            end = time.monotonic() + 10
            while subprocess.run(status, capture_output=True).returncode != 0:
                if time.monotonic() > end:
                    raise AssertionError((home / "log").read_text())
                time.sleep(0.05)
            note(f"signing {options.commands} commands with two approvals each")
            done = subprocess.run([bin_dir / "bench_signer", home / "signer.sock", home / "state/signer.key",
                                   home / "state/audit.key", str(options.commands)], capture_output=True, text=True)
            if done.returncode != 0:
                raise AssertionError(done.stderr + (home / "log").read_text())
            fields = pathlib.Path(f"/proc/{signer.pid}/stat").read_text().rsplit(") ", 1)[1].split()
            cpu = (int(fields[11]) + int(fields[12])) / 100
            return {**json.loads(done.stdout), "signer_cpu_s": cpu}
        finally:
            signer.terminate()
            signer.wait(10)
