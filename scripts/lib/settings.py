#!/usr/bin/env python3
"""The settings files of scripts/up: HOME/{controlplane,signer,agent,executor}.toml.

  settings.py HOME        writes what is missing and what was asked for, prints "name<TAB>value" lines
  settings.py HOME agent  tells the agent the present addresses; prints "changed" when they are others, "none"
                          when it is not enrolled
What stands in the files stays, comments and other settings too, unless an environment variable of scripts/up
asks for something else.
"""
import json
import os
import pathlib
import pwd
import re
import socket
import sys
import tomllib


class Settings:
    def __init__(self, path: pathlib.Path):
        self.path = path
        self.before = self.text = path.read_text() if path.exists() else ""
        try:
            tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as problem:
            sys.exit(f"{path}: not valid TOML: {problem}")

    def get(self, name: str):
        section, _, key = name.rpartition(".")
        values = tomllib.loads(self.text)
        return (values.get(section, {}) if section else values).get(key)

    def set(self, name: str, value) -> None:
        """Replaces one line, or adds one at the end of its section."""
        if self.get(name) == value:
            return
        section, _, key = name.rpartition(".")
        lines = self.text.splitlines()
        if section and f"[{section}]" not in lines:
            lines.append(f"[{section}]")
        begin = lines.index(f"[{section}]") + 1 if section else 0
        end = next((i for i in range(begin, len(lines)) if lines[i].startswith("[")), len(lines))
        at = next((i for i in range(begin, end) if re.match(rf"{re.escape(key)}\s*=", lines[i])), None)
        # A JSON text, number or list of texts is TOML too.
        lines[slice(end, end) if at is None else slice(at, at + 1)] = [f"{key} = {json.dumps(value, ensure_ascii=False)}"]
        self.text = "\n".join(lines) + "\n"
        if self.get(name) != value:
            sys.exit(f"{self.path}: cannot change {name}; write it on a line of its own")

    def choose(self, name: str, variable: str, default):
        """What was asked for, else what the file says, else the default."""
        asked = os.environ.get(variable)
        if asked and isinstance(default, int):
            if not asked.isdigit() or not 0 < int(asked) < 65536:
                sys.exit(f"{variable}={asked} is not a port: 1 to 65535")
            asked = int(asked)
        present = self.get(name)
        value = asked or (default if present is None else present)
        self.set(name, value)
        return value

    def write(self) -> None:
        if self.text != self.before:
            replace(self.path, self.text)


def replace(path: pathlib.Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.touch(mode=path.stat().st_mode & 0o777 if path.exists() else 0o644)
    new.write_text(text)
    new.replace(path)


def own_address() -> str:
    """The address that this machine has towards others, else its name. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return socket.gethostname()


def main(home: pathlib.Path) -> None:
    controlplane, agent = Settings(home / "controlplane.toml"), Settings(home / "agent.toml")
    signer = Settings(home / "signer.toml")
    signer.set("state_dir", f"{home}/signer")
    signer.set("socket", f"{home}/run/signer.sock")
    controlplane.set("signer.socket", f"{home}/run/signer.sock")
    controlplane.set("state_dir", f"{home}/controlplane")
    agent.set("state_dir", f"{home}/agent")

    # The first name is the one that logins name; the host's own is where its agent finds the broker always.
    asked = os.environ.get("OBSERVEAI_PUBLIC_NAME")
    if asked or not controlplane.get("public_names"):
        controlplane.set("public_names", list(dict.fromkeys([asked or own_address(), socket.gethostname()])))
    api_port = controlplane.choose("api.port", "OBSERVEAI_API_PORT", 8443)
    broker_port = controlplane.choose("broker.port", "OBSERVEAI_BROKER_PORT", 8883)
    if api_port == broker_port:
        sys.exit(f"the API and the broker cannot both have port {api_port}")
    agent.set("server", f"localhost:{api_port}")
    docker_socket = write_host_settings(home, agent)
    controlplane.write()
    signer.write()
    agent.write()
    for name, value in (("api_port", api_port), ("broker_port", broker_port), ("docker_socket", docker_socket),
                        ("public_name", controlplane.get("public_names")[0]), ("agent_user", agent_user())):
        print(name, value, sep="\t")


def write_host_settings(home: pathlib.Path, agent: Settings) -> str:
    """Who does what on this host: by root, the agent has a user of its own, sees Docker through the gateway alone, and
    the executor acts. By anybody else, the agent sees what that user may, and nothing is executed."""
    executor = Settings(home / "executor.toml")
    before = executor.get("docker.socket") or agent.get("docker.socket") or "/var/run/docker.sock"
    executor.choose("docker.socket", "OBSERVEAI_DOCKER_SOCKET", before)
    docker_socket = executor.get("docker.socket")
    for name, value in (("state_dir", "executor"), ("run_dir", "run/executor"), ("policy_dir", "policy.d"),
                        ("socket", "run/host/executor.sock"), ("docker.gateway_socket", "run/host/docker.sock")):
        executor.set(name, f"{home}/{value}")
    executor.set("agent_user", agent_user())
    is_root = os.geteuid() == 0
    agent.set("docker.socket", executor.get("docker.gateway_socket") if is_root else docker_socket)
    agent.set("executor.socket", executor.get("socket") if is_root else "")
    agent.set("executor.trust_dir", f"{home}/executor/trust" if is_root else "")
    executor.write()
    return docker_socket


def agent_user() -> str:
    """The packages' user where it is there, else the one that every system has."""
    try:
        return pwd.getpwnam("observeai").pw_name
    except KeyError:
        return "nobody"


def tell_agent(home: pathlib.Path) -> None:
    """An agent knows the addresses from its enrollment. With others it stays the same host, with its spool."""
    settings = Settings(home / "controlplane.toml")
    path = home / "agent/identity/identity.json"
    identity = json.loads(path.read_text()) if path.exists() else {}
    if not identity.get("confirmed"):
        print("none")
        return
    if identity["version"] != 1:
        sys.exit(f"{path} is of version {identity['version']}; this script knows 1")
    before = json.dumps(identity)
    identity["server"]["port"] = settings.get("api.port")
    identity["brokers"] = [{"host": name, "port": settings.get("broker.port")} for name in settings.get("public_names")]
    if json.dumps(identity) != before:
        replace(path, json.dumps(identity, separators=(",", ":")) + "\n")
        print("changed")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-") or sys.argv[2:] not in ([], ["agent"]):
        sys.exit(__doc__)
    try:
        (tell_agent if sys.argv[2:] else main)(pathlib.Path(sys.argv[1]))
    except OSError as problem:
        sys.exit(str(problem))
