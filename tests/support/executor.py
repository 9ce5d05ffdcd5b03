"""The executor and the Docker gateway of a host of tests/support/cluster.py, and the people who approve."""
from cluster import Cluster, Program, wait_until


class Executor:
    """Started from `cluster`'s programs; `name` is that of the agent whose host it is."""

    def __init__(self, cluster: Cluster, name: str = "agent"):
        self.cluster = cluster
        self.name = f"{name}.executor"
        self.config = cluster.home / f"{self.name}.toml"
        self.policies = cluster.home / f"{name}-policy.d"
        self.policies.mkdir(mode=0o755)
        self.socket = cluster.home / f"{name}.executor.sock"
        self.gateway_socket = cluster.home / f"{name}.docker.sock"
        state = cluster.home / f"{name}-executor"
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

    def allow(self, text: str):
        """What the host's owner allows from now on."""
        (self.policies / "test.toml").write_text(text)


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

