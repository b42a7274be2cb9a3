"""Write and read the checkpoint, one file from which a training continues as if it had never stopped.

Keras' own saving leaves out the states of seed generators (dropout would repeat its random numbers) and of callbacks
(plateau and early stopping would start again). Therefore the file holds all variables, by position, and the progress of
the training as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import keras
import numpy as np

from ..conventions import HEADLINE
from ..errors import RequestError
from ..files.contents import other_content
from ..files.npy import check_npz


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
    """

    epoch: int
    history: list[dict[str, float | None]]
    best_epoch: int | None
    best_score: float | None
    callbacks: dict[str, dict[str, Any]]
    best_by: str = f"val_{HEADLINE}"

    @property
    def stopped(self) -> bool:
        """Return whether early stopping has ended the training."""
        return any(state.get("stopped_epoch") for state in self.callbacks.values())


def save_checkpoint(path: Path, task: keras.Model, progress: TrainingProgress) -> None:
    """Write the variables of `task` and of its optimizer, and the progress."""
    arrays = {f"variable_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(_variables(task))}
    text = json.dumps(asdict(progress), allow_nan=False).encode()
    np.savez(path, progress=np.frombuffer(text, np.uint8), **arrays)


def read_progress(path: Path) -> TrainingProgress:
    """Return the progress without loading the variables. Raises RequestError where the file is broken."""
    with _opened(path) as archive:
        return _progress(archive)


def load_checkpoint(path: Path, task: keras.Model) -> TrainingProgress:
    """Set the variables of `task` and of its optimizer to the saved values, and return the progress.

    Raises RequestError where the file is broken or belongs to another network.
    """
    with _opened(path) as archive:
        progress = _progress(archive)
        arrays = [archive[f"variable_{i}"] for i in range(len(archive.files) - 1)]
    variables = _variables(task)
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise RequestError("The checkpoint belongs to another network or plan.", where=str(path))
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return progress


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as cause:
        if isinstance(cause, BadZipFile) and (content := other_content(path, "checkpoint", b"PK")):
            raise RequestError(content[0], where=str(path), hint=content[1]) from cause
        raise RequestError(f"The checkpoint cannot be read: {cause}", where=str(path)) from cause


def _progress(archive: Any) -> TrainingProgress:
    return TrainingProgress(**json.loads(archive["progress"].tobytes()))


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

    def on_train_begin(self, logs: Any = None) -> None:
        """Set the saved attributes."""
        for key, callback in _by_key(self._callbacks).items():
            for name, value in self._states[key].items():
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
