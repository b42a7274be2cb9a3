"""Write and read the checkpoint, one file from which a training continues as if it had never stopped.

Keras' own saving leaves out the states of seed generators (dropout would repeat its random numbers) and of callbacks
(plateau and early stopping would start again). Therefore the file holds all variables, by position, and the progress of
the training as JSON text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import keras
import numpy as np

from ..conventions import HEADLINE
from ..errors import RequestError
from ..files.appended import SeenRows
from ..files.contents import other_content
from ..files.documents import JSON_LIMIT, checked, decoding, parse_json
from ..files.hashed import HashedFile
from ..files.npy import read_npy_member, write_npy_header
from ..files.regular import open_regular
from ..files.run_forms import PROGRESS

_REMEDY: Final = "Restore the file from a copy; or remove it, and `marsseg run --resume` trains from the first epoch."

# The largest item of an array.
_ITEM_BYTES: Final = 8


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training after an epoch.

    Attributes:
        epoch: the number of finished epochs
        history: one record for each finished epoch
        best_epoch: the epoch (from 1) whose network is stored as the best, or None
        best_score: its score, or None where it is undefined
        callbacks: the states of the callbacks, see `callback_states`
        best_by: the column of `history` that decides which network is the best. Checkpoints of version 0.1.0 lack it;
            there it was always the headline metric.
        network_hash: the hash of the file of the best network, or None. Older checkpoints lack it.
    """

    epoch: int
    history: list[dict[str, float | None]]
    best_epoch: int | None
    best_score: float | None
    callbacks: dict[str, dict[str, Any]]
    best_by: str = f"val_{HEADLINE}"
    network_hash: str | None = None

    @property
    def stopped(self) -> bool:
        """Return whether early stopping has ended the training."""
        return any(state.get("stopped_epoch") for state in self.callbacks.values())


class ProgressText:
    """Encode the progress of one training as JSON after each epoch.

    Each row of the history is encoded once, although each text has all of them: the other work of an epoch must not
    grow with the number of epochs before it.
    """

    def __init__(self) -> None:
        self._seen = SeenRows()
        self._rows = bytearray()

    def __call__(self, progress: TrainingProgress) -> bytes:
        """Return the text."""
        rows = progress.history
        start = self._seen.count(rows)
        added = ", ".join(json.dumps(row, allow_nan=False) for row in rows[start:]).encode()
        if not start:
            self._rows.clear()
        elif added:
            self._rows += b", "
        self._rows += added
        self._seen.remember(rows)
        others = {name: value for name, value in vars(progress).items() if name != "history"}
        return b"".join((json.dumps(others, allow_nan=False)[:-1].encode(), b', "history": [', self._rows, b"]}"))


def save_checkpoint(
    file: Path | HashedFile, task: keras.Model, progress: TrainingProgress, text_of: ProgressText | None = None
) -> None:
    """Write the variables of `task` and of its optimizer, and the progress, as an archive that NumPy reads.

    `text_of` encodes the progress; one that has encoded that of the epoch before is faster.
    """
    text = (text_of or ProgressText())(progress)
    with ZipFile(file, "w") as archive:  # type: ignore[call-overload]  # HashedFile has all that an archive needs
        _add(archive, "progress", np.frombuffer(text, np.uint8))
        for i, variable in enumerate(_variables(task)):
            _add(archive, f"variable_{i}", keras.ops.convert_to_numpy(variable))


def _add(archive: ZipFile, name: str, array: np.ndarray) -> None:
    # `numpy.savez` would hold all arrays at once, and copy each twice more.
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        write_npy_header(member, array.shape, array.dtype)
        member.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def read_progress(path: Path) -> TrainingProgress:
    """Return the progress without loading the variables. Raises RequestError where the file is broken."""
    with _opened(path) as archive:
        content = parse_json(read_npy_member(archive, "progress", JSON_LIMIT).tobytes())
    content = checked(content, PROGRESS, "The progress in the checkpoint", path, _REMEDY)
    known = [each.name for each in fields(TrainingProgress)]
    progress = TrainingProgress(**{name: value for name, value in content.items() if name in known})
    if progress.history and progress.best_by not in progress.history[-1]:
        raise RequestError(f"The checkpoint has no scores {progress.best_by!r}.", where=str(path), hint=_REMEDY)
    return progress


def load_checkpoint(path: Path, task: keras.Model) -> TrainingProgress:
    """Set the variables of `task` and of its optimizer to the saved values, and return the progress.

    Raises RequestError where the file is broken or belongs to another network.
    """
    progress = read_progress(path)
    variables = _variables(task)
    names = [f"variable_{i}" for i in range(len(variables))]
    with _opened(path) as archive:
        if {f"{name}.npy" for name in ("progress", *names)} != set(archive.namelist()):
            raise _of_another_network(path)
        limits = [math.prod(variable.shape) * _ITEM_BYTES for variable in variables]
        arrays = [read_npy_member(archive, name, limit) for name, limit in zip(names, limits, strict=True)]
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise _of_another_network(path)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return progress


def _of_another_network(path: Path) -> RequestError:
    return RequestError("The checkpoint belongs to another network or plan.", where=str(path), hint=_REMEDY)


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    with decoding("The checkpoint cannot be read", path, _REMEDY):
        if content := other_content(path, "checkpoint", b"PK"):
            raise RequestError(content[0], where=str(path), hint=content[1])
    with (
        decoding("The checkpoint cannot be read", path, _REMEDY),
        open_regular(path) as file,
        ZipFile(file) as archive,
    ):
        yield archive


def _variables(task: keras.Model) -> list[Any]:
    # `variables`, unlike `weights`, includes the states of seed generators.
    return [*task.variables, *task.optimizer.variables]


def callback_states(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, dict[str, Any]]:
    """Return the state of each callback: its attributes that are numbers. The keys are position and class name."""
    return {key: _numeric_attributes(vars(callback)) for key, callback in _by_key(callbacks).items()}


class RestoreStates(keras.callbacks.Callback):
    """Restore the saved states of callbacks at the beginning of a resumed training.

    Keras' callbacks reset their states in `on_train_begin`. Therefore this callback must come after them.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], progress: TrainingProgress) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._states = progress.callbacks
        if missing := _by_key(callbacks).keys() - self._states.keys():
            raise RequestError(
                f"The checkpoint belongs to another plan: it has no state of {min(missing)}.", hint=_REMEDY
            )

    def on_train_begin(self, logs: Any = None) -> None:
        """Set the saved attributes."""
        for key, callback in _by_key(self._callbacks).items():
            for name, value in self._states[key].items():
                if name in vars(callback) and not callable(vars(callback)[name]):
                    setattr(callback, name, float(value) if isinstance(value, str) else value)


def _by_key(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, keras.callbacks.Callback]:
    return {f"{i}_{type(callback).__name__}": callback for i, callback in enumerate(callbacks)}


# Keras changes the sign of `min_delta` at the end of the first epoch. A restored value would change its sign twice.
_NOT_SAVED: Final = ("min_delta",)


def _numeric_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that are numbers or truth values. Infinity and NaN, which JSON lacks, become text."""
    numbers: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in _NOT_SAVED:
            continue
        if isinstance(value, bool | int | np.integer):
            numbers[name] = value if isinstance(value, bool) else int(value)
        elif isinstance(value, float | np.floating):
            numbers[name] = float(value) if np.isfinite(value) else repr(float(value))
    return numbers
