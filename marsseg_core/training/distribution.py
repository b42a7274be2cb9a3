"""Train on several devices and in several processes, by `keras.distribution`.

Each device computes a part of each batch, and all results are those of the whole batch: JAX compiles the step for all
devices together. This module imports Keras and NumPy only where it uses them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import RequestError
from ..networks.processes import PROCESSES, Processes, processes
from ..networks.startup import chosen_backend
from ..planning.options import SemiOptions
from ..planning.plan import Plan
from ..registry import kinds

if TYPE_CHECKING:
    import keras

# A text is sent in pieces of this size, as JAX compiles the transfer of each size anew.
_PIECE: Final = 2**16


@dataclass(frozen=True)
class Devices:
    """The devices that train one network together.

    Attributes:
        count: how many there are, in all processes
        processes: the processes that have them
        distribution: how Keras distributes variables and batches; None for one device of one process
    """

    count: int = 1
    processes: Processes = Processes()
    distribution: keras.distribution.DataParallel | None = None

    @property
    def leads(self) -> bool:
        """Return whether this process is the one that writes, scores and announces."""
        return self.processes.leads

    @property
    def part(self) -> tuple[int, int]:
        """Return which part of each batch this process makes: (i, n) for the i-th of n."""
        return self.processes.index, self.processes.count

    @contextmanager
    def together(self) -> Iterator[None]:
        """Build networks for all devices inside the block, and train them. All processes must do the same there."""
        if self.distribution is None:
            yield
            return
        with _distribution(self.distribution):
            yield

    @contextmanager
    def alone(self, task: keras.Model) -> Iterator[None]:
        """Let this process use the variables of `task` without the others inside the block.

        They have the values that they have on the first device of this process. Changes do not outlast the block.
        """
        if self.distribution is None:
            yield
            return
        shared = [(variable, variable._value, variable._layout) for variable in _variables(task)]
        with _distribution(None):
            self.leave(task)
            try:
                yield
            finally:
                for variable, value, layout in shared:
                    variable._value, variable._layout = value, layout

    def leave(self, task: keras.Model) -> None:
        """Let this process use the variables of `task` without the others from now on."""
        if self.distribution is not None:
            for variable in _variables(task):
                variable._value, variable._layout = variable._value.addressable_data(0), None

    def from_leader(self, content: Any) -> Any:
        """Return what process 0 passes, which JSON must be able to hold. All processes must call this."""
        if self.processes.count == 1:
            return content
        import numpy as np

        from ..networks.keras_backend.links import from_first_process

        text = np.frombuffer(json.dumps(content).encode() if self.leads else b"", np.uint8)
        length = int(from_first_process(np.int32(len(text))))
        buffer = np.zeros(-(-length // _PIECE) * _PIECE, np.uint8)
        buffer[: len(text)] = text
        pieces = [from_first_process(piece) for piece in buffer.reshape(-1, _PIECE)]
        return json.loads(np.concatenate(pieces)[:length].tobytes())

    def part_ways(self) -> None:
        """End the work of all processes together, before one of them goes on or ends by itself."""
        if self.processes.count > 1:
            from ..networks.keras_backend.links import part_processes

            part_processes()

    def check_same(self, text: str) -> None:
        """Raise RequestError, in all processes, unless they all pass the same text, which describes their work."""
        if self.processes.count == 1:
            return
        import numpy as np

        from ..networks.keras_backend.links import from_all_processes

        own = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
        if different := np.flatnonzero((from_all_processes(own) != own).any(axis=1)).tolist():
            raise RequestError(
                f"The process {different[0]} has another plan, other data or another checkpoint than process "
                f"{self.processes.index}.",
                where=PROCESSES,
                hint="Start the same command in all processes; the data and the run folder must be the same for all.",
            )


def check_devices(plan: Plan) -> None:
    """Raise RequestError where the backend cannot train the plan on its devices. Keras need not be loaded."""
    group, devices, backend = processes(), plan.training.devices, chosen_backend()
    if group.count > 1 and devices is None:
        raise RequestError(
            f"There are {group.count} processes, but the plan uses one device.",
            where=PROCESSES,
            hint="Add --devices all to train with the devices of all processes.",
        )
    if backend != "jax" and (group.count > 1 or (isinstance(devices, int) and devices > 1)):
        raise _needs_jax(backend)
    if isinstance(devices, int):
        _check_batches(plan, devices * group.count)


def join_processes() -> None:
    """Let JAX find the other processes, if the environment describes several.

    Call it before Keras starts its backend. Later calls in the same process do nothing.

    Raises RequestError where the other processes cannot be found.
    """
    group = processes()
    if group.count == 1 or chosen_backend() != "jax":
        return
    from ..networks.keras_backend.links import connect_processes

    try:
        connect_processes(group)
    except Exception as cause:
        raise RequestError(
            f"Process {group.index} cannot join the other processes: {cause}",
            where=group.coordinator,
            hint="Start all processes within five minutes, each in a fresh Python, and let them reach that address.",
        ) from cause


def devices_of(plan: Plan) -> Devices:
    """Return the devices that train a plan, in all processes.

    Raises RequestError where there are fewer devices, or a batch cannot be divided among them.
    """
    import keras

    check_devices(plan)
    join_processes()
    group, wanted = processes(), plan.training.devices
    if wanted is None:
        return Devices()
    found = keras.distribution.list_devices()
    if len(found) % group.count:
        raise RequestError(f"{len(found)} devices are not the same number in {group.count} processes.", where=PROCESSES)
    each = len(found) // group.count
    if wanted == "all":
        wanted = each
    if wanted > each:
        raise RequestError(
            f"There are not {wanted} devices here, but {each}: {', '.join(found)}.",
            where=f"--devices {wanted}",
            hint="Use fewer devices, or --devices all.",
        )
    count = wanted * group.count
    _check_batches(plan, count)
    if count == 1:
        return Devices()
    if chosen_backend() != "jax":
        raise _needs_jax(chosen_backend())
    chosen = [found[process * each + position] for process in range(group.count) for position in range(wanted)]
    return Devices(count, group, keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False))


def _check_batches(plan: Plan, count: int) -> None:
    """Raise RequestError where a batch cannot be divided into `count` equal parts."""
    batches = {"training.batch": plan.training.batch}
    for resolved in plan.resolved[kinds.METHOD]:
        if isinstance(resolved.options, SemiOptions) and resolved.options.batch is not None:
            batches[f"{kinds.METHOD.option}.{resolved.entry.name}.batch"] = resolved.options.batch
    for name, batch in batches.items():
        if batch % count:
            raise RequestError(
                f"A batch of {batch} images cannot be divided equally among {count} devices.",
                where=f"{name}={batch}",
                hint=f"The batch is that of all devices together: use a multiple of {count}.",
            )


def _needs_jax(backend: str) -> RequestError:
    return RequestError(
        f"Several devices need Keras on JAX; the backend is '{backend}'.",
        where=f"KERAS_BACKEND={backend}",
        hint="Set KERAS_BACKEND=jax. Losses and batch normalisation are those of the whole batch only there.",
    )


def _variables(task: keras.Model) -> list[Any]:
    """Return the variables of a task and its optimizer that have values now.

    JAX takes the values during an epoch. A step that is interrupted may lose them.
    """
    variables = [*task.variables, *task.metrics_variables, *(task.optimizer.variables if task.optimizer else ())]
    present = {id(each): each for each in variables if each._value is not None and not each._value.is_deleted()}
    return list(present.values())


@contextmanager
def _distribution(distribution: keras.distribution.DataParallel | None) -> Iterator[None]:
    """Make this Keras' distribution inside the block."""
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
