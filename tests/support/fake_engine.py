"""A Docker Engine that only says which containers there are: their json-file logs are written by others.

Hundreds of fault rounds need containers that appear, log and go, and no real ones. It answers what the agent
asks (version, ping, list, inspect, events) and may hang. Threads of the test's own process; standard library.
"""
import itertools
import json
import os
import pathlib
import socket
import threading
import time


def _time(ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9:09d}Z"


class FakeEngine:
    """Listens on folder/docker.sock. Containers are known by their names, which must be unique."""

    _numbers = itertools.count(1)  # Two engines never give one id

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.socket = str(folder / "docker.sock")
        self.ids = {}  # Name -> id
        self.hanging = threading.Event()  # While set, nothing is answered
        self._lock = threading.Lock()
        self._containers = {}  # Id -> what `inspect` says
        self._events = []  # (time ns, line)
        self._streams = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def create(self, name: str, folder=None, seen_in=None) -> pathlib.Path:
        """A running container; where its log is to be written. The file is there, empty. `folder`: another one than
        ours, which the agent sees as `seen_in`."""
        with self._lock:
            ident = f"{os.getpid():016x}{next(self._numbers):048x}"
            now = time.time_ns()
            base = folder or self.folder
            log = base / "containers" / ident / f"{ident}-json.log"
            log.parent.mkdir(parents=True)
            log.touch()
            seen = (seen_in or base) / log.relative_to(base)
            self.ids[name] = ident
            self._containers[ident] = {
                "Id": ident, "Name": "/" + name, "Created": _time(now), "Path": "writer", "Args": [],
                "State": {"Status": "running", "OOMKilled": False, "Pid": 0, "ExitCode": 0, "StartedAt": _time(now),
                          "FinishedAt": "0001-01-01T00:00:00Z"},
                "Image": "sha256:1", "LogPath": str(seen), "RestartCount": 0,
                "HostConfig": {"LogConfig": {"Type": "json-file"}, "Memory": 0},
                "Config": {"Image": "writer", "Labels": {}}, "NetworkSettings": {"Ports": {}}}
            for action in ("create", "start"):
                self._emit(action, ident)
        return log

    def destroy(self, name: str, keep_log=False):
        """The container ends and is removed, with its log unless that is kept."""
        with self._lock:
            ident = self.ids.pop(name)
            self._emit("die", ident, {"exitCode": "0"})
            self._emit("destroy", ident)
            log = pathlib.Path(self._containers.pop(ident)["LogPath"])
        if not keep_log:
            log.unlink()
            log.parent.rmdir()

    def close(self):
        self._listener.close()
        with self._lock:
            for stream in self._streams:
                stream.close()
            self._streams.clear()

    def _emit(self, action, ident, extra=None):
        name = self._containers[ident]["Name"][1:]
        now = time.time_ns()
        line = json.dumps({"Type": "container", "Action": action, "timeNano": now, "time": now // 10**9,
                           "Actor": {"ID": ident, "Attributes": {"name": name, "image": "writer", **(extra or {})}}}) + "\n"
        self._events = self._events[-1000:] + [(now, line)]
        for stream in list(self._streams):
            self._send_event(stream, line)

    def _send_event(self, stream, line):
        try:
            stream.sendall(f"{len(line):x}\r\n{line}\r\n".encode())
        except OSError:
            if stream in self._streams:
                self._streams.remove(stream)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            while self.hanging.is_set():
                time.sleep(0.05)
            path, _, query = request.split(b" ")[1].decode().partition("?")
            if path.startswith("/v") and path[2:3].isdigit():
                path = path[path.index("/", 1):]
            if path == "/events":
                self._stream(connection, query)
                return
            status, body = self._answer(path)
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                               f"Connection: close\r\n\r\n".encode() + body)
        except OSError:
            pass  # The agent was killed.
        finally:
            if connection not in self._streams:
                connection.close()

    def _stream(self, connection, query):
        since = 0
        for field in query.split("&"):
            if field.startswith("since="):
                seconds, _, fraction = field[6:].partition(".")
                since = int(seconds) * 10**9 + int((fraction + "0" * 9)[:9])
        with self._lock:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._streams.append(connection)
            for at, line in self._events if since else ():
                if at >= since:
                    self._send_event(connection, line)

    def _answer(self, path):
        if path == "/version":
            return "200 OK", b'{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}'
        if path == "/_ping":
            return "200 OK", b"OK"
        with self._lock:
            if path == "/containers/json":
                return "200 OK", json.dumps([
                    {"Id": c["Id"], "Names": [c["Name"]], "Image": "writer", "ImageID": "sha256:1", "Command": "writer",
                     "Created": int(time.time()), "Ports": [], "Labels": {}, "State": "running", "Status": "Up 3 seconds"}
                    for c in self._containers.values()]).encode()
            container = self._containers.get(path.split("/")[2] if path.startswith("/containers/") else "")
            if container:
                return "200 OK", json.dumps(container).encode()
        return "404 Not Found", b'{"message":"No such container"}'
