"""The workers of the executor `ray`: its tasks, which Ray's own processes do."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from marsseg_core.plugin_api import ExecutorSpec, Processes, RequestError, Task, TaskResult, Workers, counted

from .optional import import_extra
from .remote import answer_of, do
from .threads import limited_to

# How long cancelled tasks may take to write their runs, in seconds.
_PATIENCE: Final = 60.0

# What Ray's own arguments are called among the resources of a node.
_RESOURCES: Final = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}

# Ray sets it in this process, which belongs to the user, and whose children inherit it.
_BREAKPOINT: Final = "PYTHONBREAKPOINT"


class RayWorkers(Workers):
    """Up to `spec.jobs` tasks at the same time. A connection that exists already, as in a notebook, is kept.

    A task is done by one Ray task, or by one on each of several nodes, which Ray places together.
    """

    def __init__(self, spec: ExecutorSpec, needs: Mapping[str, Any], nodes: int = 1) -> None:
        self._ray = import_extra("ray", "ray")
        self._places = spec.jobs
        self._nodes = nodes
        self._running: dict[Any, _Group] = {}
        self._owned = not self._ray.is_initialized()
        if self._owned:
            self._connect()
        self._check(needs)
        # Ray itself must not repeat a task: what is lost is told. A process that has joined others cannot join again.
        once = {"max_calls": 1} if nodes > 1 else {}
        environment = {"env_vars": limited_to(needs["num_cpus"])}
        self._function = self._ray.remote(max_retries=0, runtime_env=environment, **once, **needs)(do_on_node)
        self._address = self._ray.remote(num_cpus=0, max_retries=0)(free_address)
        self._needs = needs

    def _connect(self) -> None:
        hook = os.environ.get(_BREAKPOINT)
        try:
            self._ray.init("auto", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as cause:
            raise RequestError(
                f"No Ray cluster can be reached: {cause}",
                where="--on ray",
                hint="Start one (ray start --head), or set RAY_ADDRESS to the HOST:PORT of one.",
            ) from cause
        finally:
            os.environ.pop(_BREAKPOINT, None)
            if hook is not None:
                os.environ[_BREAKPOINT] = hook

    def _check(self, needs: Mapping[str, Any]) -> None:
        """Raise RequestError if the nodes have not what a task needs: Ray would wait for them for ever."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        fit = [all(node.get(_RESOURCES[key], 0) >= needed for key, needed in needs.items()) for node in nodes]
        if sum(fit) < self._nodes:
            self.stop()
            wanted = ", ".join(_amount(key, needed) for key, needed in needs.items() if needed)
            what = f"No node of the Ray cluster has {wanted}."
            if self._nodes > 1:
                what = f"The Ray cluster has {counted(sum(fit), 'node')} with {wanted}, not {self._nodes}."
            raise RequestError(what, where="--on ray", hint="`ray status` shows what the nodes have.")

    @property
    def places(self) -> int:
        return self._places

    def submit(self, task: Task) -> None:
        arguments = (asdict(task), str(Path.cwd()), self._needs["num_cpus"])
        if self._nodes == 1:
            group = _Group(task, [self._function.remote(*arguments, "", 1, 0)])
        else:
            group = self._placed(task, arguments)
        self._running |= dict.fromkeys(group.references, group)

    def _placed(self, task: Task, arguments: Sequence[Any]) -> _Group:
        """Begin a task on several nodes. Ray places all parts at once, so two tasks never wait for each other."""
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundle = {_RESOURCES[key]: needed for key, needed in self._needs.items() if needed}
        placement = placement_group([bundle] * self._nodes, strategy="STRICT_SPREAD")

        def on(node: int) -> dict[str, Any]:
            return {"scheduling_strategy": PlacementGroupSchedulingStrategy(placement, node)}

        address = self._address.options(**on(0)).remote()  # the parts wait for it, not this process
        references = [
            self._function.options(**on(node)).remote(*arguments, address, self._nodes, node)
            for node in range(self._nodes)
        ]
        return _Group(task, references, placement)

    def wait(self, seconds: float) -> list[TaskResult]:
        running = list(self._running)
        done, _ = self._ray.wait(running, num_returns=1, timeout=seconds) if running else ([], [])
        results = [self._ended(reference) for reference in done if reference in self._running]
        return [result for result in results if result is not None]

    def _ended(self, reference: Any) -> TaskResult | None:
        """Take the answer of a part of a task; return the result of the task if it has ended with it."""
        group = self._running.pop(reference)
        answer = self._answer(reference)
        group.answers[reference] = answer
        if answer.get("lost") or len(group.answers) == len(group.references):
            self._dissolve(group)  # where one part is lost, the others cannot go on
            answers = [group.answers[each] for each in group.references if each in group.answers]
            return TaskResult(group.task, **answer_of(answers))
        return None

    def _answer(self, reference: Any) -> Mapping[str, Any]:
        errors = self._ray.exceptions
        try:
            answer: Mapping[str, Any] = self._ray.get(reference)
        except errors.RuntimeEnvSetupError as error:
            return {"error": f"Ray cannot start its process: {error}"}
        except errors.RayTaskError as error:  # it did not come as far as the task
            return {"error": str(error.cause)}
        except errors.RayError as error:
            return {"lost": True, "error": f"Its Ray process ended: {type(error).__name__}."}
        return answer

    def _dissolve(self, group: _Group) -> None:
        """Free the nodes of a task, and end what still runs there."""
        for reference in group.references:
            self._running.pop(reference, None)
        if group.placement is not None:
            from ray.util.placement_group import remove_placement_group

            remove_placement_group(group.placement)

    def stop(self) -> None:
        running, groups = list(self._running), list(self._running.values())
        for reference in running:
            self._ray.cancel(reference)
        if running:
            self._ray.wait(running, num_returns=len(running), timeout=_PATIENCE)
        for group in groups:
            self._dissolve(group)
        if self._owned:
            self._ray.shutdown()


@dataclass(eq=False)
class _Group:
    """The parts of a task, in the order of their nodes, and the answers so far."""

    task: Task
    references: Sequence[Any]
    placement: Any = None
    answers: dict[Any, Mapping[str, Any]] = field(default_factory=dict)


def _amount(key: str, needed: float) -> str:
    """Return how much of a resource is needed, such as "2 CPUs" or "16 GB of memory"; Ray counts memory in bytes.

    >>> _amount("num_cpus", 2), _amount("num_gpus", 1), _amount("memory", 16 * 2**30)
    ('2 CPUs', '1 GPU', '16 GB of memory')
    """
    if key == "memory":
        return f"{needed / 2**30:g} GB of memory"
    return f"{needed:g} {_RESOURCES[key]}{'' if needed == 1 else 's'}"


def do_on_node(
    task: dict[str, Any], directory: str, threads: int, address: str, count: int, index: int
) -> dict[str, Any]:
    """Do a task, or the part of one node, where the first process has this address."""
    return do(task, directory, threads, Processes(count, index, address))


def free_address() -> str:
    """Return the address of this node, with a port that is free."""
    import ray

    with socket.socket() as listener:
        listener.bind(("", 0))
        host = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{host}:{listener.getsockname()[1]}"
