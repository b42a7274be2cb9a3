"""Join several processes that train together, and send arrays between them: by JAX alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ..processes import Processes

# A process that has not been heard of for so many seconds counts as dead.
_SILENCE: Final = 30


def connect_processes(processes: Processes) -> None:
    """Let JAX find the other processes, unless it has already. Nothing may have been computed before."""
    import jax

    if jax.distributed.is_initialized():
        return
    # It would take over SIGTERM, which interrupts a run.
    jax.config.update("jax_enable_preemption_service", False)  # type: ignore[no-untyped-call]
    # A queue's description of the job is left out: the environment says all.
    jax.distributed.initialize(
        processes.coordinator,
        processes.count,
        processes.index,
        cluster_detection_method="deactivate",
        heartbeat_timeout_seconds=_SILENCE,
    )


def part_processes() -> None:
    """Wait for the other processes, and leave them."""
    import jax

    jax.distributed.shutdown()  # type: ignore[no-untyped-call]


def from_first_process(array: Any) -> Any:
    """Return the array that process 0 passes. All processes must pass one of the same shape and type."""
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(array)


def from_all_processes(array: Any) -> np.ndarray:
    """Return the arrays of all processes, stacked in the order of the processes."""
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array))
