"""The executor and the Docker gateway of a host of tests/support/cluster.py, and the people who have it do things."""
import hashlib
import json

from cluster import Cluster, Program, wait_until

ENDED = ("succeeded", "failed", "rolled_back", "inconclusive", "rejected", "expired", "cancelled")


class Executor:
    """Started from `cluster`'s programs; `agent` is the name of the agent whose host it is."""

    def __init__(self, cluster: Cluster, agent: str = "agent"):
        self.cluster = cluster
        self.agent = agent
        self.name = f"{agent}.executor"
        self.config = cluster.home / f"{self.name}.toml"
        self.policies = cluster.home / f"{agent}-policy.d"
        self.policies.mkdir(mode=0o755)
        self.socket = cluster.home / f"{agent}.executor.sock"
        self.gateway_socket = cluster.home / f"{agent}.docker.sock"
        state = cluster.home / f"{agent}-executor"
        self.config.write_text(
            f'state_dir = "{state}"\nrun_dir = "{state}-run"\npolicy_dir = "{self.policies}"\nsocket = "{self.socket}"\n'
            f'agent_user = "nobody"\n[docker]\nsocket = "{cluster.docker_socket}"\ngateway_socket = "{self.gateway_socket}"\n')

    def start(self):
        program = Program([self.cluster.bin / "observeai-executor", "run", "--config", self.config],
                          self.cluster.home / f"{self.name}.log")
        self.cluster.programs[self.name] = program
        wait_until("the executor answers", lambda: self.cluster.run(
            "observeai-executor", "status", "--config", self.config, ok=False).returncode == 0)
        return program

    def start_gateway(self):
        """Between Docker and an agent whose configuration names `gateway_socket`."""
        program = Program([self.cluster.bin / "observeai-executor", "gateway", "--config", self.config],
                          self.cluster.home / f"{self.agent}.gateway.log")
        self.cluster.programs[f"{self.agent}.gateway"] = program
        wait_until("the gateway listens", self.gateway_socket.exists)
        return program

    def allow(self, text: str):
        """What the host's owner allows from now on."""
        (self.policies / "test.toml").write_text(text)

    def allow_runbooks(self, *names: str):
        """Runbooks that note each run; one whose gate is shut notes that it began, and waits for it."""
        text = 'enabled = true\nmax_tier = 2\nmax_per_hour = 100\ncooldown = "0s"\n[[allow]]\naction = "runbook"\ntargets = ["runbook/*"]\n'
        for name in names:
            script = self.policies.parent / f"{self.agent}-{name}.sh"
            script.write_text(f'#!/bin/sh\necho run >> {self._ran(name)}\nwhile [ -e {self.gate(name)} ]; do sleep 0.1; done\n')
            script.chmod(0o755)
            text += f'[runbook.{name}]\npath = "{script}"\nsha256 = "{hashlib.sha256(script.read_bytes()).hexdigest()}"\nsummary = "{name}"\n'
        self.allow(text)

    def _ran(self, runbook: str):
        return self.cluster.home / f"{self.agent}-{runbook}.ran"

    def gate(self, runbook: str):
        """While there is such a file, the runbook does not end."""
        return self.cluster.home / f"{self.agent}-{runbook}.gate"

    def runs(self, runbook: str) -> int:
        """How often it began."""
        return len(self._ran(runbook).read_text().splitlines()) if self._ran(runbook).exists() else 0


class Approver:
    """A person with a key of their own."""

    def __init__(self, cluster: Cluster, person: str):
        self.cluster = cluster
        self.person = person
        self.key = cluster.home / f"{person}.key"
        self.passphrase = cluster.home / f"{person}.passphrase"
        self.passphrase.write_text(f"{person} knows a long passphrase\n")
        said = cluster.console("approver", "init", "--name", person, "--out", self.key, "--passphrase-file", self.passphrase)
        self.line = next(line for line in said.splitlines() if "ed25519:" in line).strip()

    def approve(self, plan: str, ok=True):
        return self.cluster.console("approve", plan, "--key", self.key, "--passphrase-file", self.passphrase, "--yes", ok=ok)


def let_approve(cluster: Cluster, approvers) -> None:
    """The quick start's root of one key names them."""
    keys = cluster.home / "controlplane/keys"
    for approver in approvers:
        cluster.console("root", "add-approver", "--dir", keys, *approver.line.split())
    cluster.console("root", "sign", "--dir", keys, "--key", keys / "root.key")
    cluster.console("root", "publish", "--dir", keys)


class Plans:
    """Plans of a cluster as people handle them."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster

    def propose(self, agent: str, action: str, *options) -> str:
        """The plan's id; unless told not to wait, once the host has said what it would do."""
        return self.cluster.console_json("plan", "create", action, "--host", self.cluster.agent_id(agent), "--accept-downtime",
                                         *options)["id"]

    def show(self, plan: str) -> dict:
        return self.cluster.console_json("plan", "show", plan)

    def state(self, plan: str) -> str:
        return self.cluster.api("GET", f"/v1/plans/{plan}")["state"]

    def reaches(self, plan: str, *states: str, seconds: float = 60) -> str:
        return wait_until(f"plan {plan} is {' or '.join(states)}",
                          lambda: (lambda state: state if state in states else None)(self.state(plan)), seconds, 0.1)

    def ended(self, plan: str, seconds: float = 120) -> dict:
        self.reaches(plan, *ENDED, seconds=seconds)
        return self.show(plan)

    def commands(self, plan: str) -> list:
        """With the results of each, oldest first."""
        found = [c for c in self.cluster.api("GET", "/v1/commands")["commands"] if c["plan"] == plan]
        return sorted((self.cluster.api("GET", f"/v1/commands/{c['id']}") for c in found), key=lambda c: (c["issued_ms"], c["seq"]))

    def audit(self, kind: str) -> list:
        return [entry for entry in json.loads(self.cluster.console("audit", "--json"))["entries"] if entry["action"] == kind]
