"""The checkpoint: all that training needs to go on as if it had never stopped, in one file.

Keras' own saving leaves out the states of seed generators (dropout would repeat itself) and of callbacks (plateau
and early stopping reset themselves), so the variables are kept here by position, next to a JSON text of the rest.
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


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands after an epoch: epochs done, their records, the best one, callbacks' states.

    `best_by` is the column of the records that `best_score` is of; up to version 0.1.0 it was always the headline's.
    """

    epoch: int
    history: list[dict[str, float | None]]
    best_epoch: int | None
    best_score: float | None
    callbacks: dict[str, dict[str, Any]]
    best_by: str = f"val_{HEADLINE}"

    @property
    def stopped(self) -> bool:
        """Whether early stopping had ended the training."""
        return any(state.get("stopped_epoch") for state in self.callbacks.values())


def save_checkpoint(path: Path, task: keras.Model, progress: TrainingProgress) -> None:
    """Write the variables of `task` and of its optimiser, and the progress."""
    arrays = {f"variable_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(_variables(task))}
    text = json.dumps(asdict(progress), allow_nan=False).encode()
    np.savez(path, progress=np.frombuffer(text, np.uint8), **arrays)


def read_progress(path: Path) -> TrainingProgress:
    """The progress alone; RequestError for a file that is broken."""
    with _reading(path) as archive:
        return _progress(archive)


def load_checkpoint(path: Path, task: keras.Model) -> TrainingProgress:
    """Set the variables of `task` and of its optimiser to what was saved, and give the progress.

    Raises RequestError for a file that is broken or belongs to another network.
    """
    with _reading(path) as archive:
        progress = _progress(archive)
        arrays = [archive[f"variable_{i}"] for i in range(len(archive.files) - 1)]
    variables = _variables(task)
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise RequestError("The checkpoint belongs to another network or plan.", where=str(path))
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return progress


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as cause:
        raise RequestError(f"The checkpoint cannot be read: {cause}", where=str(path)) from cause


def _progress(archive: Any) -> TrainingProgress:
    return TrainingProgress(**json.loads(archive["progress"].tobytes()))


def _variables(task: keras.Model) -> list[Any]:
    # `variables`, unlike `weights`, has the seed generators' states.
    return [*task.variables, *task.optimizer.variables]


def callback_states(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, dict[str, Any]]:
    """What each callback counts and remembers: its plain attributes, by the callback's class and position."""
    return {key: _plain(vars(callback)) for key, callback in _keyed(callbacks).items()}


class RestoreStates(keras.callbacks.Callback):
    """Gives callbacks the states they had, once they have reset themselves: it comes after them."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], progress: TrainingProgress) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._states = progress.callbacks

    def on_train_begin(self, logs: Any = None) -> None:
        for key, callback in _keyed(self._callbacks).items():
            for name, value in self._states[key].items():
                setattr(callback, name, float(value) if isinstance(value, str) else value)


def _keyed(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, keras.callbacks.Callback]:
    return {f"{i}_{type(callback).__name__}": callback for i, callback in enumerate(callbacks)}


# Keras turns its sign at the end of the first epoch that a callback sees, whatever it is by then.
_SET_ANEW: Final = ("min_delta",)


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and truth values; infinities, which JSON lacks, as text."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in _SET_ANEW:
            continue
        if isinstance(value, bool | int | np.integer):
            found[name] = value if isinstance(value, bool) else int(value)
        elif isinstance(value, float | np.floating):
            found[name] = float(value) if np.isfinite(value) else repr(float(value))
    return found
