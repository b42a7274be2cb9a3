"""Write the scores, losses and weights of each epoch for TensorBoard, to `tensorboard/` in the run folder.

The observer is active only if the variable MARSSEG_OBSERVERS names it: `MARSSEG_OBSERVERS=tensorboard marsseg run …`,
then `tensorboard --logdir runs`. It needs `pip install "marsseg[tensorboard]"`, but not TensorFlow.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from marsseg_core.plugin_api import hookimpl

from .on_request import asked_for, check_request, final_scalars, scalars

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run

NAME: Final = "tensorboard"

# TensorBoard reads files whose names begin so, in the order of their names.
_PREFIX: Final = "events.out.tfevents."
_FORMAT: Final = "brain.Event:2"


@hookimpl
def marsseg_plan_resolved() -> None:
    """Check the names in MARSSEG_OBSERVERS."""
    check_request(NAME)


@hookimpl
def marsseg_network_built(run: Run) -> None:
    """Begin a new file.

    Each process writes its own file: after a half-written event of a killed process, later events could not be read.
    """
    if asked_for(NAME):
        folder = run.path / NAME
        folder.mkdir(exist_ok=True)
        _append(folder / f"{_PREFIX}{time.time():017.6f}.marsseg", file_version=_FORMAT)


@hookimpl
def marsseg_epoch_finished(run: Run, record: Mapping[str, float | None]) -> None:
    """Add the values of an epoch."""
    if asked_for(NAME):
        _add(run, scalars(record), step=int(record["epoch"] or 0))


@hookimpl
def marsseg_run_finished(run: Run) -> None:
    """Add the final scores."""
    if asked_for(NAME) and run.best_epoch is not None:
        _add(run, final_scalars(run), step=run.best_epoch)


def _add(run: Run, values: Mapping[str, float], step: int) -> None:
    from tensorboard.compat.proto.summary_pb2 import Summary

    files = sorted((run.path / NAME).glob(f"{_PREFIX}*"))
    if files and values:
        parts = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        _append(files[-1], step=step, summary=Summary(value=parts))


def _append(file: Path, **event: Any) -> None:
    """Append one event, in a single write because TensorBoard may be reading the file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    block = io.BytesIO()
    RecordWriter(block).write(Event(wall_time=time.time(), **event).SerializeToString())
    with file.open("ab") as stream:
        stream.write(block.getvalue())
