"""From an approval to the start of the action on the host: real console, signer, broker, agent, executor and Docker.

Each plan restarts a container of its own. The time is that from the approval's arrival at the control plane to the
executor's start of the action, both by the clock of this machine.

What bounds the number of plans is the control plane: a tenant acts ten times an hour. So there are as many control planes
as it takes, one after the other, each with a broker, a signer, an agent and an executor of its own; the engine stays.
"""
import json
import math

from cluster import Cluster, Docker, wait_until
from executor import ENDED, Approver, Executor, let_approve

PLANS_OF_ONE = 10  # What a control plane lets its tenant do in an hour
POLICY = ('enabled = true\nmax_tier = 1\nmax_per_hour = 100\ncooldown = "0s"\n'
          '[[allow]]\naction = "docker.restart"\ntargets = ["container/*"]\n')


def add_options(parser):
    parser.add_argument("--plans", type=int, default=100, help="in all, ten for each control plane (default %(default)s)")


def percentile(values, share):
    """The smallest value that at least `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def started(cluster, plan):
    """Approval and start in unix milliseconds, once the host has answered."""
    shown = cluster.console_json("plan", "show", plan)
    result = shown["targets"][0]["result"]
    if shown["state"] in ENDED and not (result and result["started_ms"]):
        raise AssertionError(f"plan {plan} is {shown['state']} and was never begun: {json.dumps(shown)}")
    return result and result["started_ms"] and (shown["approvals"][0]["received_ms"], result["started_ms"])


def measure(bin_dir, docker, names, note):
    """Milliseconds from approval to start, of one plan for each container."""
    cluster = Cluster(bin_dir, docker.socket)
    try:
        executor = Executor(cluster)
        executor.allow(POLICY)
        cluster.up()
        executor.start()
        approver = Approver(cluster, "alice")
        let_approve(cluster, [approver])
        host = cluster.agent_id("agent")
        taken = []
        for name in names:
            wait_until(f"{name} is seen", lambda: any(c["name"] == name for c in cluster.api("GET", "/v1/containers")["containers"]))
            made = cluster.console("plan", "create", "docker.restart", "--host", host, "--accept-downtime",
                                   "--set", f"container={name}", "--set", "stop_timeout_s=0", "--json", ok=False)
            plan = json.loads(made.stdout)["id"]
            approver.approve(plan)
            approved_ms, started_ms = wait_until(f"the host has answered {plan}", lambda: started(cluster, plan), 60, 0.2)
            taken.append(started_ms - approved_ms)
        note(f"{len(taken)} plans: {taken} ms")
        return taken
    finally:
        cluster.close()


def run(bin_dir, options, note):
    docker = Docker().start()
    try:
        image = docker.make_image()
        names = [f"latency-{i}" for i in range(min(options.plans, PLANS_OF_ONE))]
        for name in names:
            docker.run("run", "-d", "--name", name, image, "/bin/sleep", "100000")
        taken = []
        while len(taken) < options.plans:
            taken += measure(bin_dir, docker, names[:options.plans - len(taken)], note)
        return {"plans": len(taken), "control_planes": math.ceil(len(taken) / PLANS_OF_ONE), "containers": len(names),
                "approval_to_start_p50_ms": percentile(taken, 0.5), "approval_to_start_p95_ms": percentile(taken, 0.95),
                "approval_to_start_max_ms": max(taken)}
    finally:
        docker.close()
