"""Jobs in a SLURM queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from marsseg_core.plugin_api import Executor, ExecutorSpec, Workers, param


@dataclass(frozen=True)
class Slurm(Executor):
    """Jobs in a SLURM queue, one for each task, submitted by submitit.

    A job that is preempted, or that reaches its time limit, is interrupted as by Ctrl-C: the next job resumes its run.
    It needs `pip install "marsseg[slurm]"`, and a folder that the nodes share.

    Source: https://github.com/facebookincubator/submitit
    """

    partition: str | None = param(None, help="partition of the jobs; none: the queue's default")
    time: int = param(60, help="minutes after which a job is interrupted", minimum=1, maximum=525_600)
    nodes: int = param(1, help="nodes of each job, whose devices train one network together", minimum=1, maximum=1_024)
    cpus: int = param(1, help="processors of each node of a job, and threads", minimum=1, maximum=4_096)
    gpus: int = param(0, help="GPUs of each node of a job", minimum=0, maximum=64)
    memory: float | None = param(None, help="memory of each node of a job in GB; none: the queue's default", above=0)
    account: str | None = param(None, help="account that pays for the jobs; none: the user's default")
    qos: str | None = param(None, help="quality of service; none: the queue's default")
    constraint: str | None = param(None, help="features that the nodes must have, such as a100; none: all nodes")
    cluster: Literal["slurm", "local"] = param(
        "slurm", help="local: submitit's processes on this machine, to try it without a queue"
    )

    def check(self) -> None:
        from .jobs import check_queue

        check_queue(self.cluster)

    def start(self, spec: ExecutorSpec) -> Workers:
        from .jobs import SlurmWorkers

        # submitit's local executor has one node, so there each node is a process.
        group = {"nodes": self.nodes} if self.cluster == "slurm" else {"tasks_per_node": self.nodes}
        shared = {
            **(group if self.nodes > 1 else {}),
            "timeout_min": self.time,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem_gb": self.memory,
        }
        own = {
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            "slurm_qos": self.qos,
            "slurm_constraint": self.constraint,
        }
        return SlurmWorkers(spec, self.cluster, {**shared, **own}, self.cpus)
