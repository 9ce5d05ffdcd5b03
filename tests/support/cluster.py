"""A whole ObserveAI on this machine, from built programs, with its own state, ports and Docker engine.

Used by tests/e2e and scripts/bench. Standard library only. Everything that is started is stopped by its pid.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import http.client
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def with_clock(shift: str) -> list:
    """What to put before a command so that its clock is off, "-20d" say. The program itself is the process:
    unlike the faketime command, which stays before it and does not hand signals on."""
    return ["env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1", "FAKETIME_DONT_FAKE_MONOTONIC=1", f"FAKETIME={shift}"]


def wait_until(what: str, condition, seconds: float = 20, every: float = 0.05):
    """The first true value of condition(); an AssertionError that says what did not happen."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Docker:
    """A private engine (tests/support/dockerd.sh) with an image that holds busybox and loggen."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="oad-", dir="/tmp")
        self.socket = f"{self.dir}/docker.sock"

    def start(self):
        self._script("start", self.dir)
        return self

    def kill(self):
        self._script("kill", self.dir)

    def stop(self):
        self._script("stop", self.dir)

    def close(self):
        """Removes the containers, ends the engine, then the folder: never the folder of a running engine."""
        try:
            self.start()  # One that was killed left containers behind.
            containers = self.run("ps", "-aq", check=False).split()
            if containers:
                self.run("rm", "-f", *containers, check=False)
        except subprocess.SubprocessError as problem:
            print(f"containers of {self.dir} may be left: {problem}")
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _script(self, *arguments):
        subprocess.run([ROOT / "tests/support/dockerd.sh", *arguments], check=True)

    def run(self, *arguments, check=True) -> str:
        done = subprocess.run(["docker", "-H", f"unix://{self.socket}", *arguments], capture_output=True, text=True,
                              timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def make_image(self, name="observeai-test:local"):
        with tempfile.TemporaryDirectory() as work:
            root = pathlib.Path(work)
            (root / "bin").mkdir()
            (root / "tmp").mkdir()
            shutil.copy(shutil.which("busybox"), root / "bin/busybox")
            for tool in ("sh", "sleep", "echo", "cat", "true", "false", "kill", "tail", "dd", "head", "tr", "printf"):
                (root / "bin" / tool).symlink_to("busybox")
            subprocess.run(["cc", "-O2", "-static", ROOT / "tests/support/loggen.c", "-o", root / "bin/loggen"], check=True)
            tar = subprocess.run(["tar", "-C", work, "-c", "."], capture_output=True, check=True).stdout
            subprocess.run(["docker", "-H", f"unix://{self.socket}", "import", "-", name], input=tar, check=True,
                           capture_output=True)
        return name


class Program:
    """One started program with its log file."""

    def __init__(self, command, log: pathlib.Path, env=None):
        self.log = log
        self.command = [str(c) for c in command]
        with open(log, "ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM, seconds=15):
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.command[0]} did not end within {seconds} s after {how}") from None
        return self.process.returncode


class Cluster:
    """Control plane, broker and agents. `bin` holds the programs."""

    def __init__(self, bin_dir, docker_socket="/nonexistent/docker.sock"):
        self.bin = pathlib.Path(bin_dir).resolve()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="observeai-e2e-"))
        os.chmod(self.home, 0o711)
        self.api_port = free_port()
        self.broker_port = free_port()
        self.docker_socket = docker_socket
        self.programs = {}
        self.key = None
        self.page_rows = 10_000
        (self.home / "controlplane.toml").write_text(
            f'state_dir = "{self.home}/controlplane"\n[api]\naddress = "127.0.0.1"\nport = {self.api_port}\n'
            f'[broker]\naddress = "127.0.0.1"\nport = {self.broker_port}\n'
            f'[signer]\nsocket = "{self.home}/signer.sock"\n')
        (self.home / "signer.toml").write_text(f'state_dir = "{self.home}/signer"\nsocket = "{self.home}/signer.sock"\n')
        self.agent_config("agent")

    def agent_config(self, name: str, extra: str = "") -> pathlib.Path:
        path = self.home / f"{name}.toml"
        path.write_text(f'state_dir = "{self.home}/{name}"\nserver = "localhost:{self.api_port}"\n'
                        f'[executor]\nsocket = "{self.home}/{name}.executor.sock"\n'
                        f'trust_dir = "{self.home}/{name}-executor/trust"\n'
                        f'[docker]\nsocket = "{self.docker_socket}"\n{extra}')
        return path

    # ---- programs ------------------------------------------------------------------------------

    def start(self, name: str, prefix=()):
        """Starts a program and waits until it answers. `prefix`: a command that runs it, like faketime.

        A control plane gets its signer first, which stays when the control plane is stopped.
        """
        if name == "controlplane" and "signer" not in self.programs:
            self.start("signer")
        config = self.home / ("controlplane.toml" if name in ("controlplane", "broker") else f"{name}.toml")
        if name == "controlplane":
            command = [self.bin / "observeai-controlplane", "run", "--config", config]
        elif name == "broker":
            command = [self.bin / "observeai-controlplane", "broker", "--config", config]
        elif name == "signer":
            command = [self.bin / "observeai-signer", "run", "--config", config]
        else:
            command = [self.bin / "observeai-agent", "run", "--config", config]
        self.programs[name] = Program([*prefix, *command], self.home / f"{name}.log")
        if name == "controlplane":
            wait_until("the API answers", self.healthy)
        elif name == "signer":
            wait_until("the signer answers", lambda: self.run("observeai-signer", "status", "--config", config, ok=False).returncode == 0)
        elif name == "broker":
            wait_until("the broker listens", lambda: self._listens(self.broker_port))
        return self.programs[name]

    def stop(self, name: str, how=signal.SIGTERM):
        return self.programs.pop(name).stop(how)

    def _listens(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def healthy(self):
        if not self.programs["controlplane"].alive():
            raise AssertionError("the control plane ended:\n" + self.tail("controlplane"))
        try:
            return self.api("GET", "/v1/health", auth=False)["status"] == "ok"
        except OSError:
            return False

    def tail(self, name, lines=30):
        path = self.home / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"

    def show_logs(self):
        """The end of every program's log, also of the ones that were stopped."""
        for path in sorted(self.home.glob("*.log")):
            print(f"--- end of {path.name}\n{self.tail(path.stem)}")

    def up(self, agent=True):
        self.start("controlplane")
        self.start("broker")
        self.log_in()
        if agent:
            self.enroll("agent")
            self.start("agent")
            self.wait_online()
        return self

    def wait_online(self, count=1):
        wait_until(f"{count} host(s) online",
                   lambda: sum(h["state"] == "online" for h in self.api("GET", "/v1/hosts")["hosts"]) >= count, 30)

    def wait_seen(self, agent_id, seconds=30):
        """Returns when the control plane has heard from an agent after this call."""
        now_ms = time.time() * 1000
        wait_until(f"{agent_id} reports", lambda: self.api("GET", f"/v1/agents/{agent_id}")["last_seen_ms"] > now_ms,
                   seconds)

    def broker_takes(self, name: str) -> str:
        """Whether the broker lets an enrolled agent's certificate in now: accepted, refused or unreachable.

        A running agent of that name loses its session to this one when it is accepted.
        """
        pem = self.home / name / "identity/tls.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # The agent's own checks are tested elsewhere.
        context.load_cert_chain(pem)
        try:
            plain = socket.create_connection(("127.0.0.1", self.broker_port), timeout=3)
        except OSError:
            return "unreachable"
        try:
            with context.wrap_socket(plain) as tls:
                client_id = name.encode()
                body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(client_id).to_bytes(2, "big") + client_id
                tls.sendall(b"\x10" + bytes([len(body)]) + body)
                answer = tls.recv(4)
                return "accepted" if answer == b"\x20\x02\x00\x00" else "refused"
        except ssl.SSLError:
            return "refused"
        except OSError:
            return "unreachable"  # A broker that is being restarted resets connections
        finally:
            plain.close()

    def log_in(self):
        text = self.run("observeai-controlplane", "login-code", "--config", self.home / "controlplane.toml").strip()
        self.console("login", text)
        self.key = json.loads((self.home / "console.json").read_text())["key"]

    def enroll(self, name: str, prefix=(), **token):
        """Enrolls the agent that agent_config(name) described, and says its id."""
        self.run("observeai-agent", "enroll", "--config", self.home / f"{name}.toml", self.token(**token), prefix=prefix)
        return self.agent_id(name)

    def agent_id(self, name: str) -> str:
        return self.identity(name)["agent"]

    def identity(self, name: str) -> dict:
        """What `observeai-agent identity` says of an enrolled agent: agent, certificate and so on."""
        text = self.run("observeai-agent", "identity", "--config", self.home / f"{name}.toml")
        return {line[:13].strip(): line[13:].strip() for line in text.splitlines() if line[:13].strip()}

    def token(self, **fields) -> str:
        return self.api("POST", "/v1/tokens", fields)["text"]

    def close(self):
        problems = []
        agents = [name for name in self.programs if name not in ("controlplane", "broker", "signer")]
        for name in (*agents, "controlplane", "broker", "signer"):
            program = self.programs.pop(name, None)
            if program:
                try:
                    program.stop()
                except AssertionError as problem:
                    problems.append(str(problem))
        shutil.rmtree(self.home, ignore_errors=True)
        if problems:
            raise AssertionError("; ".join(problems))

    # ---- clients -------------------------------------------------------------------------------

    def run(self, program, *arguments, ok=True, env=None, prefix=()):
        """Standard output of a program that must succeed; with ok=False the CompletedProcess."""
        done = subprocess.run([*prefix, self.bin / program, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "OBSERVEAI_CONSOLE": str(self.home / "console.json"), **(env or {})})
        if not ok:
            return done
        if done.returncode != 0:
            raise AssertionError(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def console(self, *arguments, **options):
        return self.run("observeai", *arguments, **options)

    def console_json(self, *arguments):
        return json.loads(self.console(*arguments, "--json"))

    def _connection(self, timeout=30):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # The pin is tested elsewhere; this client is the test's own eye.
        return http.client.HTTPSConnection("127.0.0.1", self.api_port, timeout=timeout, context=context)

    def api(self, method, path, body=None, auth=True, **query):
        connection = self._connection()
        try:
            url = path + ("?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None}, quote_via=urllib.parse.quote) if query else "")
            headers = {"Authorization": f"Bearer {self.key}"} if auth else {}
            connection.request(method, url, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status >= 400:
                raise AssertionError(f"{method} {url}: HTTP {answer.status}: {content.decode(errors='replace')}")
            return json.loads(content) if content else {}
        finally:
            connection.close()

    def follow(self, path, on_event, **query):
        """A thread that hands (event, data, arrival unix ns) to on_event; returns a function that ends it."""
        stream = Stream(self, path, on_event, **query)
        stream.open()
        return stream.close

    def all_logs(self, target=None, host=None, since_ms=None, grep=None):
        """Every stored row of a target (of one host), oldest first, whatever the page size is: of the last hour
        or since a time.

        A full page may have cut its last millisecond, and `since` counts in milliseconds: that one is
        left to the next page, so that each row comes from one page and a doubled one stays doubled.
        """
        rows, since_ms = [], since_ms or int(time.time() * 1000) - 3_600_000
        while True:
            page = self.api("GET", "/v1/logs", target=target, host=host, since=since_ms, limit=self.page_rows, order="oldest",
                            grep=grep)
            if not page["truncated"]:
                return rows + page["rows"]
            since_ms = int(page["rows"][-1]["ts_ns"]) // 1_000_000
            whole = [r for r in page["rows"] if int(r["ts_ns"]) // 1_000_000 < since_ms]
            assert whole, "the rows of one millisecond do not fit into a page"
            rows += whole


class Stream:
    """One reader of server-sent events, as a browser reads them: opened again, it names the last id it got."""

    def __init__(self, cluster, path, on_event, **query):
        self.cluster, self.path, self.on_event, self.query = cluster, path, on_event, query
        self.last_id = None
        self.broken = threading.Event()
        self.stopping = threading.Event()
        self.socket = self.thread = None

    def open(self):
        self.broken.clear()
        connection = self.cluster._connection(timeout=60)
        connection.connect()
        self.socket = connection.sock  # The connection hands it to the answer, which has no end.
        headers = {"Authorization": f"Bearer {self.cluster.key}", "Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        connection.request("GET", self.path + "?" + urllib.parse.urlencode(self.query, quote_via=urllib.parse.quote), headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        self.thread = threading.Thread(target=self._read, args=(answer,), daemon=True)
        self.thread.start()

    def _read(self, answer):
        event, ident, data = "message", None, []
        try:
            for raw in answer:
                line = raw.decode().rstrip("\r\n")
                if line == "":
                    if ident is not None:
                        self.last_id = ident
                    if data:
                        self.on_event(event, json.loads("\n".join(data)), time.time_ns())
                    event, ident, data = "message", None, []
                elif line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("id:"):
                    ident = line[3:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].strip())
                if self.stopping.is_set():
                    return
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        if not self.stopping.is_set():
            self.broken.set()
            self.on_event("broken", {}, time.time_ns())

    def close(self):
        self.stopping.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The server ended it first.
        self.thread.join(5)


@contextlib.contextmanager
def database_copy(path: pathlib.Path):
    """A copy of a database that a running program may hold for itself alone, with its write-ahead log."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("-wal", ""):  # The log first: what a checkpoint moves in between is in the database then.
            if pathlib.Path(f"{path}{suffix}").exists():
                shutil.copy(f"{path}{suffix}", f"{folder}/copy.db{suffix}")
        with contextlib.closing(sqlite3.connect(f"{folder}/copy.db")) as db:
            yield db


def blobs_with(word: str, folder: pathlib.Path) -> list:
    """Where a word stands in the files below a folder: plain, or in a zstd frame within a database's values."""
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = zstd.ZSTD_getFrameContentSize.restype = zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_uint64
    wanted = word.encode()

    def unpacked(value: bytes):
        at = value.find(b"\x28\xb5\x2f\xfd")
        while at >= 0:
            frame = value[at:]
            size = zstd.ZSTD_getFrameContentSize(frame, ctypes.c_size_t(len(frame)))
            if size <= 64 << 20:
                out = ctypes.create_string_buffer(size)
                length = zstd.ZSTD_findFrameCompressedSize(frame, ctypes.c_size_t(len(frame)))
                if length <= len(frame) and zstd.ZSTD_decompress(out, ctypes.c_size_t(size), frame, ctypes.c_size_t(length)) == size:
                    yield out.raw
            at = value.find(b"\x28\xb5\x2f\xfd", at + 4)

    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if wanted in path.read_bytes():
            found.append(str(path))
        if path.suffix != ".db":
            continue
        with database_copy(path) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    if any(wanted in part for value in row if isinstance(value, bytes) for part in unpacked(value)):
                        found.append(f"{path}: {table}")
    return found


def checksum(text: bytes) -> str:
    value = 2166136261
    for byte in text:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{value:08x}"


class Oracle:
    """Judges what arrived of loggen's lines: every number once, with its checksum, and in order if that is asked."""

    def __init__(self, source: str):
        self.source = source

    def problems(self, rows, expected: int, in_order=True):
        seen, out, order = {}, [], []
        for row in rows:
            parts = row["text"].rsplit(" ", 1)
            if len(parts) != 2 or checksum((parts[0] + " ").encode()) != parts[1]:
                out.append(f"damaged line: {row['text'][:80]!r}")
                continue
            source, seq = parts[0].split(" ")[:2]
            if source != self.source:
                out.append(f"foreign line of {source}")
                continue
            seen[int(seq)] = seen.get(int(seq), 0) + 1
            order.append(int(seq))
        missing = [n for n in range(1, expected + 1) if n not in seen]
        doubled = [n for n, times in seen.items() if times > 1]
        if missing:
            out.append(f"{len(missing)} lines are missing, first {missing[:5]}")
        if doubled:
            out.append(f"{len(doubled)} lines came twice, first {doubled[:5]}")
        if max(seen, default=0) > expected:
            out.append(f"line {max(seen)} was never written")
        back = [(a, b) for a, b in zip(order, order[1:]) if b < a]
        if back and in_order:
            out.append(f"lines are out of order in {len(back)} places, first {back[:5]}")
        return out


def run_suite(start, tests, *parts, logs=()) -> int:
    """start(), then the tests one after the other with a line each, then "N passed, N failed" and the exit code.

    Whatever happens, a signal included, every part is closed, the last one first; a part that cannot be
    closed is a failure. `logs` prints what helps after a failure.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    passed = failed = 0

    def attempt(what, *arguments):
        begin = time.monotonic()
        try:
            what(*arguments)
            outcome = "ok"
        except Exception:
            outcome = "FAILED"
            traceback.print_exc(file=sys.stdout)
        return outcome, time.monotonic() - begin

    try:
        outcome, seconds = attempt(start)
        print(f"{outcome:7} start ({seconds:.1f} s)", flush=True)
        failed += outcome != "ok"
        for test in tests if outcome == "ok" else ():
            outcome, seconds = attempt(test)
            passed += outcome == "ok"
            failed += outcome != "ok"
            print(f"{outcome:7} {test.__name__} ({seconds:.1f} s)", flush=True)
        if failed:
            for show in logs:
                show()
    finally:
        for part in reversed(parts):
            outcome, seconds = attempt(part.close)
            if outcome != "ok":
                failed += 1
                print(f"FAILED  closing {type(part).__name__} ({seconds:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
