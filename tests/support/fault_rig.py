"""What the fault tests (tests/faults) share: a cluster of real programs, containers that log numbered lines
through a fake engine, and the judgement of what arrived. Standard library only."""
import argparse
import contextlib
import functools
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from cluster import ROOT, Cluster, wait_until
from delivery import declared_lost, judge, judge_ledger, notices, runs
from fake_engine import FakeEngine
from fault_injection import Cable, Disk, Faults, Skipped


@functools.cache
def tool(source: str, *options) -> pathlib.Path:
    """A C program (or, with -shared, a library) of tests/support, built once for this run."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="observeai-tools-"))
    _folders.append(folder)
    out = folder / pathlib.Path(source).stem
    subprocess.run(["cc", "-O2", "-Wall", "-o", out, ROOT / "tests/support" / source, *options], check=True)
    return out


_folders = []


class Writer:
    """linewriter over some logs: {source: (path, first number)}."""

    def __init__(self, logs: dict, rate: float, line_bytes: int):
        self.process = subprocess.Popen(
            [tool("linewriter.c"), *(f"{name}={path}={rate}={line_bytes}={first}" for name, (path, first) in logs.items())],
            stdout=subprocess.PIPE, text=True)

    def stop(self) -> dict:
        """The last number of each source, all of them in the files."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=20)
        if self.process.returncode != 0:
            raise AssertionError(f"linewriter ended with {self.process.returncode}")
        return {name: int(last) for name, last in (line.split() for line in out.splitlines())}


class Rig:
    """One test's world. Agents are named "agent", "agent-2" and so on; all watch the same engine."""

    def __init__(self, bin_dir, seed: int, long: bool):
        self.random = random.Random(seed)
        self.long = long
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="oaf-", dir="/tmp"))
        self.engine = FakeEngine(self.home)
        self.cluster = Cluster(bin_dir, self.engine.socket)
        self.configure("agent")
        self.began_ms = int(time.time() * 1000) - 1000
        self.logs = {}  # Source -> its log
        self.written = {}  # Source -> last number in the log
        self._writers = []
        self.notes = []  # What the line of the test says besides its name
        self.cleanup = contextlib.ExitStack()  # Mounts, namespaces: undone after the programs have ended

    def configure(self, name: str, extra: str = ""):
        """An agent's configuration: samples often, so that they are part of what must not be lost."""
        self.cluster.agent_config(name, '[metrics]\ninterval = "2s"\n' + extra)

    # ---- load ----------------------------------------------------------------------------------

    def sources(self, *names):
        for name in names:
            self.logs[name] = self.engine.create(name)
            self.written[name] = 0

    def write(self, rate=100, line_bytes=200, names=None) -> Writer:
        """Lines flow until stop_writing()."""
        names = names or list(self.logs)
        writer = Writer({n: (self.logs[n], self.written[n] + 1) for n in names}, rate, line_bytes)
        self._writers.append(writer)
        return writer

    def stop_writing(self, writer=None):
        for one in [writer] if writer else list(self._writers):
            self._writers.remove(one)
            self.written.update(one.stop())

    # ---- what arrived --------------------------------------------------------------------------

    def ledger(self) -> list:
        return self.cluster.console_json("ledger")["rows"]

    def log_rows(self) -> list:
        """The ledger rows of the known sources."""
        ids = {ident: name for name, ident in self.engine.ids.items()}
        out = []
        for row in self.ledger():
            for ident, name in ids.items():
                if row["lane"] == "logs" and ident in row["source"]:
                    out.append({**row, "source_name": name})
        return out

    def accounted(self) -> dict:
        """Source -> how many of its lines are stored or declared lost, as the ledger has it."""
        out = {}
        for row in self.log_rows():
            out[row["source_name"]] = out.get(row["source_name"], 0) + row["records_stored"] + declared_lost(row)
        return out

    def stored_in_order(self) -> dict:
        """Source -> the number up to which each of its lines is stored at this moment."""
        out = {}
        for source in self.logs:
            numbers = {int(text.split(" ")[1]) for text in self.stored(source)}
            out[source] = next(n for n in itertools.count() if n + 1 not in numbers)
        return out

    def last_in_logs(self) -> dict:
        """Source -> the last number of which a piece stands in its log at this moment."""
        out = {}
        for source, path in self.logs.items():
            found = re.findall(rf'"{source} (\d+) ', path.read_text(errors="replace"))
            out[source] = int(found[-1]) if found else 0
        return out

    def settled(self, seconds: float) -> float:
        """Waits until all lines are accounted for and every ledger row is balanced; how long that took."""
        begin = time.monotonic()

        def done():
            try:
                accounted = self.accounted()
                return all(accounted.get(n, 0) >= last for n, last in self.written.items()) and not judge_ledger(self.ledger())
            except (AssertionError, OSError, subprocess.SubprocessError):
                return False  # The control plane is on its way back.

        try:
            wait_until("everything is stored or declared lost", done, seconds, every=0.25)
        except AssertionError as problem:
            accounted = self.accounted()
            raise AssertionError(f"{problem}: " + "; ".join(
                [f"{n}: {accounted.get(n, 0)} of {last}" for n, last in self.written.items() if accounted.get(n, 0) < last]
                + judge_ledger(self.ledger()))) from None
        return time.monotonic() - begin

    def stored(self, source: str) -> list:
        try:
            rows = self.cluster.all_logs(source, since_ms=self.began_ms)
        except AssertionError as problem:
            if "HTTP 404" not in str(problem):
                raise
            # Two hosts under one name take turns in saying which containers there are.
            rows = self.cluster.all_logs(since_ms=self.began_ms, grep=source + " ")
        return [r["text"] for r in rows]

    def check(self, seconds=60, at_risk=None) -> int:
        """Generator ledger = store + declared drops, for each source, exactly; and the oracle can tell.

        `at_risk`: {source: [(first, last), ...]}, the only lines that may be lost. How many are declared lost.
        """
        assert self.written and all(self.written.values()), "nothing was written"
        took = self.settled(seconds)
        rows, problems, lost = self.log_rows(), [], 0
        for source, last in self.written.items():
            own = [r for r in rows if r["source_name"] == source]
            declared = sum(declared_lost(r) for r in own)
            texts = self.stored(source)
            risked = (at_risk or {}).get(source, [])
            found = judge(source, texts, last, declared, at_risk=risked).problems
            if not found:  # Only what is right can show that the oracle notices what is not
                notices(source, texts, last, declared, own, risked)
            problems += found
            lost += declared
        problems += judge_ledger(self.ledger())
        if problems:
            raise AssertionError("\n  ".join(["the delivery is wrong:", *problems]))
        self.notes.append(f"{sum(self.written.values())} lines, {lost} declared lost, settled in {took:.1f} s")
        return lost

    def alerts(self) -> list:
        return self.cluster.api("GET", "/v1/alerts")["alerts"]

    def fresh_within(self, seconds: float, source: str):
        """A line that is written now is stored within so long; returns the seconds. The source must be idle."""
        self.written[source] += 1
        begin = time.monotonic()
        writer = Writer({source: (self.logs[source], self.written[source])}, 20, 120)
        time.sleep(0.1)
        self.written.update(writer.stop())
        wanted = f"{source} {self.written[source]} "
        since = int(time.time() * 1000) - 60_000

        def seen():
            try:
                page = self.cluster.api("GET", "/v1/logs", target=source, since=since, limit=100)
            except (AssertionError, OSError):
                return False
            return any(r["text"].startswith(wanted) for r in page["rows"])

        wait_until(f"a fresh line of {source} is stored", seen, seconds)
        return time.monotonic() - begin

    # ---- faults --------------------------------------------------------------------------------

    def small_disk(self, name: str, mib: int) -> Disk:
        """A disk of its own for the state folder of a program that has not begun: "agent", "controlplane"."""
        disk = Disk(self.cluster.home / name, mib, self.home / f"{name}.img")
        self.cleanup.callback(disk.close)
        return disk

    def faults(self, name: str) -> Faults:
        """What fails for the program of that name once it is started with the prefix of the answer."""
        library = tool("faultlib.c", "-shared", "-fPIC", "-ldl")
        return Faults(library, self.home / f"{name}.faults", self.cluster.home / name)

    def cable(self) -> Cable:
        """The agent behind a cable that can be bad: start it with the prefix of the answer. Before the control
        plane is started, which must know the address that the agent sees."""
        cable = Cable(tool("wire.c"), self.home, self.random.randrange(47_000))
        self.cleanup.callback(cable.close)
        config = self.cluster.home / "controlplane.toml"
        config.write_text(f'public_names = ["{cable.here}"]\n' + config.read_text().replace("127.0.0.1", "0.0.0.0"))
        agent = self.cluster.home / "agent.toml"
        agent.write_text(agent.read_text().replace("localhost:", f"{cable.here}:"))
        return cable

    def revive(self, name: str, prefix=()):
        """What a service manager does: starts a program that has ended. Whether it had."""
        if self.cluster.programs[name].alive():
            return False
        self.cluster.programs.pop(name)
        self.cluster.start(name, prefix)
        return True

    # ---- programs ------------------------------------------------------------------------------

    def kill(self, name: str):
        """SIGKILL at this very moment."""
        program = self.cluster.programs.pop(name)
        assert program.alive(), f"{name} had ended before it was killed:\n{self.cluster.tail(name)}"
        program.process.kill()
        program.process.wait()

    def show_logs(self, lines=25):
        """The end of each program's log, without what the broker says of every connection."""
        for path in sorted(self.cluster.home.glob("*.log")):
            text = [line for line in path.read_text(errors="replace").splitlines() if "info mosquitto:" not in line]
            print(f"--- end of {path.name}", *text[-lines:], sep="\n")

    def close(self):
        problems = []
        for writer in self._writers:
            writer.process.kill()
            writer.process.wait()
        for close in (self.cluster.close, self.cleanup.close):
            try:
                close()
            except (AssertionError, OSError, subprocess.SubprocessError) as problem:
                problems.append(str(problem))
        self.engine.close()
        for folder in (self.cluster.home, self.home):  # Also what lay below a mount
            shutil.rmtree(folder, ignore_errors=True)
        if problems:
            raise AssertionError("; ".join(problems))


def allowed_once(texts, windows):
    """The lines without those that stand twice and may: their number lies in one of the windows (first, last)."""
    times, rest, repeated = {}, [], 0
    for text in texts:
        number = int(text.split(" ")[1])
        times[text] = times.get(text, 0) + 1
        if times[text] == 2 and any(first <= number <= last for first, last in windows):
            repeated += 1
        else:
            rest.append(text)
    return rest, repeated


def arrived_once(rig, seconds, doubles=None):
    """Every line is stored, once; `doubles`: {source: [(first, last), ...]}, numbers that may be stored twice."""
    doubles = doubles or {}

    def all_here():
        return all(len({t.split(" ")[1] for t in rig.stored(n)}) >= last for n, last in rig.written.items())

    try:
        wait_until("all lines are stored", all_here, seconds, every=1)
    except AssertionError:
        pass  # The verdict says what is missing.
    problems, repeated = [], 0
    for source, last in rig.written.items():
        windows = doubles.get(source, [])
        texts = rig.stored(source)
        rest, twice = allowed_once(texts, windows)
        repeated += twice
        found = judge(source, rest, last).problems
        if not found:
            notices(source, rest, last, 0, [])
            outside = next(t for t in texts if not any(a <= int(t.split(" ")[1]) <= b for a, b in windows))
            assert judge(source, allowed_once([*texts, outside], windows)[0], last).problems, "a double is not noticed"
            thrice = next((t for t in texts if texts.count(t) == 2), None)
            assert not thrice or judge(source, allowed_once([*texts, thrice], windows)[0], last).problems, "a third one is not noticed"
        problems += found
    assert not problems, "\n  ".join(["the delivery is wrong:", *problems])
    rig.notes.append(f"{sum(rig.written.values())} lines stored" + (f", {repeated} of at most "
                     f"{sum(b - a + 1 for w in doubles.values() for a, b in w)} told twice" if doubles else ""))


def children(pid: int) -> list:
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        out += [int(p) for p in (task / "children").read_text().split()]
    return out


def run_faults(tests) -> int:
    """Each test with a rig of its own, a line each, then "N passed, N failed[, N skipped]"; the exit code.

    Command line: BIN [--long] [--seed N] [NAME...].
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("names", nargs="*", help="only tests whose name contains one of these")
    parser.add_argument("--long", action="store_true", help="the full counts")
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    arguments = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    passed = failed = skipped = 0
    for test in tests:
        if arguments.names and not any(name in test.__name__ for name in arguments.names):
            continue
        seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4), "big")
        begin, outcome, rig = time.monotonic(), "ok", None
        try:
            rig = Rig(arguments.bin, seed, arguments.long)
            test(rig)
        except Skipped as reason:
            outcome = "skipped"
            rig.notes.append(str(reason))
        except Exception:
            outcome = "FAILED"
            traceback.print_exc(file=sys.stdout)
            rig and rig.show_logs()
        finally:
            try:
                rig and rig.close()
            except Exception:
                outcome = "FAILED"
                traceback.print_exc(file=sys.stdout)
        passed += outcome == "ok"
        failed += outcome == "FAILED"
        skipped += outcome == "skipped"
        print(f"{outcome:7} {test.__name__} ({time.monotonic() - begin:.1f} s, seed {seed}): "
              f"{'; '.join(rig.notes) if rig else ''}", flush=True)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not (passed or skipped) else 0
