"""Tasks on a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marsseg_core.plugin_api import Executor, ExecutorSpec, Workers, param


@dataclass(frozen=True)
class Ray(Executor):
    """Tasks on a running Ray cluster.

    The cluster is the one on this machine, or the one at Ray's variable RAY_ADDRESS. It needs
    `pip install "marsseg[ray]"` on all nodes, and a folder that they share. The messages of the tasks are in Ray's own
    logs.

    Source: https://docs.ray.io
    """

    nodes: int = param(1, help="nodes of each task, whose devices train one network together", minimum=1, maximum=1_024)
    cpus: int = param(1, help="processors of each node of a task, and threads", minimum=1, maximum=4_096)
    gpus: float = param(0.0, help="GPUs of each node of a task, also a part of one", minimum=0, maximum=64)
    memory: float | None = param(None, help="memory of each node of a task in GB; none: not reserved", above=0)

    def check(self) -> None:
        self.start(ExecutorSpec(Path())).stop()

    def start(self, spec: ExecutorSpec) -> Workers:
        from .ray_tasks import RayWorkers

        memory = {} if self.memory is None else {"memory": int(self.memory * 2**30)}
        needs = {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}
        return RayWorkers(spec, needs, self.nodes)
