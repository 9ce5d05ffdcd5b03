"""A whole ObserveAI on this machine, from built programs, with its own state, ports and Docker engine.

Used by tests/e2e and scripts/bench. Standard library only. Everything that is started is stopped by its pid.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import http.client
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
        for name in self.run("ps", "-aq", check=False).split():
            self.run("rm", "-f", name, check=False)
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _script(self, *arguments):
        subprocess.run([ROOT / "tests/support/dockerd.sh", *arguments], check=True)

    def run(self, *arguments, check=True) -> str:
        done = subprocess.run(["docker", "-H", f"unix://{self.socket}", *arguments], capture_output=True, text=True)
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
        (self.home / "controlplane.toml").write_text(
            f'state_dir = "{self.home}/controlplane"\n[api]\naddress = "127.0.0.1"\nport = {self.api_port}\n'
            f'[broker]\naddress = "127.0.0.1"\nport = {self.broker_port}\n')
        self.agent_config("agent")

    def agent_config(self, name: str, extra: str = "") -> pathlib.Path:
        path = self.home / f"{name}.toml"
        path.write_text(f'state_dir = "{self.home}/{name}"\nserver = "localhost:{self.api_port}"\n[docker]\nsocket = "{self.docker_socket}"\n{extra}')
        return path

    # ---- programs ------------------------------------------------------------------------------

    def start(self, name: str):
        config = self.home / ("controlplane.toml" if name in ("controlplane", "broker") else f"{name}.toml")
        if name == "controlplane":
            command = [self.bin / "observeai-controlplane", "run", "--config", config]
        elif name == "broker":
            command = [self.bin / "observeai-controlplane", "broker", "--config", config]
        else:
            command = [self.bin / "observeai-agent", "run", "--config", config]
        self.programs[name] = Program(command, self.home / f"{name}.log")
        if name == "controlplane":
            wait_until("the API answers", self.healthy)
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

    def log_in(self):
        text = self.run("observeai-controlplane", "login-code", "--config", self.home / "controlplane.toml").strip()
        self.console("login", text)
        self.key = json.loads((self.home / "console.json").read_text())["key"]

    def enroll(self, name: str, **token):
        return self.run("observeai-agent", "enroll", "--config", self.home / f"{name}.toml", self.token(**token))

    def token(self, **fields) -> str:
        return self.api("POST", "/v1/tokens", fields)["text"]

    def close(self):
        problems = []
        for name in ("agent", *[n for n in self.programs if n not in ("controlplane", "broker")], "controlplane", "broker"):
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

    def run(self, program, *arguments, ok=True, env=None):
        """Standard output of a program that must succeed; with ok=False the CompletedProcess."""
        done = subprocess.run([self.bin / program, *map(str, arguments)], capture_output=True, text=True, timeout=60,
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
            url = path + ("?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None}) if query else "")
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
        connection = self._connection(timeout=60)
        connection.request("GET", path + "?" + urllib.parse.urlencode(query),
                           headers={"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        stopping = threading.Event()

        def read():
            event, data = "message", []
            try:
                for raw in answer:
                    line = raw.decode().rstrip("\r\n")
                    if line == "":
                        if data:
                            on_event(event, json.loads("\n".join(data)), time.time_ns())
                        event, data = "message", []
                    elif line.startswith("event:"):
                        event = line[6:].strip()
                    elif line.startswith("data:"):
                        data.append(line[5:].strip())
                    if stopping.is_set():
                        return
            except (OSError, ValueError, AttributeError):
                if not stopping.is_set():
                    on_event("broken", {}, time.time_ns())

        thread = threading.Thread(target=read, daemon=True)
        thread.start()

        def end():
            stopping.set()
            if connection.sock:
                connection.sock.shutdown(socket.SHUT_RDWR)
            thread.join(5)

        return end

    def all_logs(self, target, since="1h"):
        """Every stored row of a target, oldest first, whatever the page size is."""
        rows, since_ms = [], int(time.time() * 1000) - 3_600_000
        seen = set()
        while True:
            page = self.api("GET", "/v1/logs", target=target, since=since_ms, limit=10000, order="oldest")
            new = [r for r in page["rows"] if (r["ts_ns"], r["stream"], r["text"]) not in seen]
            if not page["truncated"]:
                return rows + new
            assert new, "a page of rows with one time stamp is larger than the page limit"
            rows += new
            since_ms = int(new[-1]["ts_ns"]) // 1_000_000
            seen = {(r["ts_ns"], r["stream"], r["text"]) for r in rows[-20000:]}


def checksum(text: bytes) -> str:
    value = 2166136261
    for byte in text:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{value:08x}"


class Oracle:
    """Judges what arrived of loggen's lines: every number once, in order, with its checksum."""

    def __init__(self, source: str):
        self.source = source

    def problems(self, rows, expected: int):
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
        if order != sorted(order):
            out.append("lines are out of order")
        return out


def run_tests(tests) -> int:
    """Runs functions one after the other; prints a line each and "N passed, N failed"."""
    import sys
    import traceback
    passed = failed = 0
    for test in tests:
        begin = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok      {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
