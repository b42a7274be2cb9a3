"""Optuna's study of a sweep: its journal, samplers and pruners."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..registry.parameters import Value, to_text
from .design import designed
from .draw import drawn
from .optional import import_optuna
from .options import SweepOptions
from .paths import KindPath
from .space import Assignment, Setting, Space
from .values import Range

_NAME: Final = "sweep"


def open_study(journal: Path, *, direction: str | None = None, pruner: Any = None) -> Any:
    """Open the study in a journal; create it if a `direction` ("maximize" or "minimize") is passed."""
    optuna = import_optuna()
    backends = optuna.storages.journal
    # The lock that Optuna makes by default is a link, which needs a privilege on Windows.
    lock = backends.JournalFileOpenLock(str(journal)) if sys.platform == "win32" else None
    storage = backends.JournalStorage(backends.JournalFileBackend(str(journal), lock_obj=lock))
    if direction is not None:
        optuna.create_study(storage=storage, study_name=_NAME, direction=direction)
    return optuna.load_study(storage=storage, study_name=_NAME, pruner=pruner)


def make_pruner(name: str, epochs: int) -> Any:
    """Return Optuna's pruner of this name, for runs of so many epochs."""
    pruners = import_optuna().pruners
    if name == "median":
        return pruners.MedianPruner()
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
    return pruners.NopPruner()


def make_sampler(options: SweepOptions, space: Space, number: int) -> Any:
    """Return the sampler of the trial with a number; None if a grid or random search has drawn all combinations.

    Each trial has a sampler of its own, so that a sweep that is resumed does not draw its first trials again.
    """
    optuna = import_optuna()
    if options.sampler == "tpe":
        seed = (options.seed * 1_000_003 + number) % 2**32
        return optuna.samplers.TPESampler(seed=seed)
    if options.ablation is None:
        assignment = drawn(space, options.sampler, options.seed, number)
    else:
        assignment = designed(space, number, one_at_a_time=options.one_at_a_time)
    return None if assignment is None else _drawn_sampler(assignment)


def _drawn_sampler(assignment: Assignment) -> Any:
    """Return a sampler of Optuna that gives a trial these values."""

    class Drawn(import_optuna().samplers.BaseSampler):  # type: ignore[misc]
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return _plain(assignment[param_name])

    return Drawn()


def suggest(trial: Any, space: Space) -> dict[str, Value] | None:
    """Let Optuna suggest the values of a trial: first the components, then the settings that play a part with them.

    Returns None if the components do not fit each other.
    """
    values = {each.name: _suggest_one(trial, each) for each in space.settings if isinstance(each.path, KindPath)}
    combination = space.combination_of(values)
    if combination is None:
        return None
    return values | {setting.name: _suggest_one(trial, setting) for setting in space.active(combination)}


def _suggest_one(trial: Any, setting: Setting) -> Value:
    values = setting.values
    if isinstance(values, Range):
        method = trial.suggest_int if values.integer else trial.suggest_float
        number: Value = method(setting.name, values.low, values.high, log=values.log)
        return number
    choices = {_plain(value): value for value in values.values}
    return choices[trial.suggest_categorical(setting.name, list(choices))]


def _plain(value: Value) -> Any:
    """Return a value as Optuna can store it as a choice: a list, or a truth beside numbers, becomes its text."""
    return to_text(value) if isinstance(value, tuple | bool) else value


def texts_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of one of Optuna's trials as texts."""
    return {name: to_text(value) for name, value in params.items()}
