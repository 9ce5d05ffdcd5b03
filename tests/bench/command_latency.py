"""From an approval to the start of the action on the host: real console, signer, broker, agent, executor and Docker.

Each plan restarts a container of its own. The time is that from the approval's arrival at the control plane to the
executor's start of the action, both by the clock of this machine.
"""
import json

from cluster import Cluster, Docker, wait_until
from executor import Approver, Executor, let_approve

MOST_PLANS = 9  # The control plane lets a tenant act ten times an hour


def add_options(parser):
    parser.add_argument("--plans", type=int, default=MOST_PLANS, help=f"at most {MOST_PLANS} (default %(default)s)")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def started(cluster, plan):
    """Approval and start in unix milliseconds, once the host has answered."""
    shown = cluster.console_json("plan", "show", plan)
    result = shown["targets"][0]["result"]
    return result and result["started_ms"] and (shown["approvals"][0]["received_ms"], result["started_ms"])


def run(bin_dir, options, note):
    docker = Docker().start()
    image = docker.make_image()
    cluster = Cluster(bin_dir, docker.socket)
    try:
        executor = Executor(cluster)
        executor.allow('enabled = true\nmax_tier = 1\nmax_per_hour = 100\n[[allow]]\naction = "docker.restart"\ntargets = ["container/*"]\n')
        cluster.up()
        executor.start()
        approver = Approver(cluster, "alice")
        let_approve(cluster, [approver])
        taken = []
        for i in range(min(options.plans, MOST_PLANS)):
            name = f"latency-{i}"
            docker.run("run", "-d", "--name", name, image, "/bin/sleep", "100000")
            wait_until(f"{name} is seen", lambda: any(c["name"] == name for c in cluster.api("GET", "/v1/containers")["containers"]))
            made = cluster.console("plan", "create", "docker.restart", "--host", cluster.agent_id("agent"), "--accept-downtime",
                                   "--set", f"container={name}", "--set", "stop_timeout_s=0", "--json", ok=False)
            plan = json.loads(made.stdout)["id"]
            note(f"plan {i + 1}: {plan}")
            approver.approve(plan)
            approved_ms, started_ms = wait_until("the host has answered", lambda: started(cluster, plan), 60, 0.2)
            taken.append(started_ms - approved_ms)
        return {"plans": len(taken), "approval_to_start_p50_ms": percentile(taken, 0.5), "approval_to_start_p95_ms": percentile(taken, 0.95),
                "approval_to_start_max_ms": max(taken)}
    finally:
        cluster.close()
        docker.close()
