"""Train a finished run for more epochs, in a new run folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from ..components.specs import ScheduleSpec
from ..components.weighting_layer import WeightingLayer
from ..errors import RequestError
from ..files.atomic import atomic_folder
from ..files.documents import read_toml
from ..files.run_folder import RunFolder, create_run_folder
from ..hooks import HookCaller, announce
from ..networks.keras_backend.settings import avoid_importing_tensorflow, fixed_settings
from ..networks.processes import refuse_processes
from ..planning.invoke import build_component
from ..planning.plan import Plan
from ..planning.resolved import weighting_spec
from ..registry import kinds
from ..runs.extensible import check_extensible
from ..runs.recorded_data import read_data_of, record_data, recorded_split
from ..runs.run import Run
from ..runs.unlabelled import read_unlabelled_of
from .beginning import start_of_process
from .checkpoint import TrainingProgress, read_progress
from .ended import steps_per_epoch
from .loop import resume
from .rounds import number_of_rounds

# The rates of a schedule are compared at so many steps.
_COMPARED_STEPS = 20


def extend(
    folder: RunFolder,
    plan: Plan,
    *,
    out: Path | None = None,
    moved: bool = False,
    hooks: HookCaller | None = None,
) -> Run:
    """Train a finished run for more epochs.

    The finished run stays as it is. A new run folder starts with copies of its files, and is then resumed. If nothing
    in the plan depends on the number of epochs, the result is that of one training with all epochs. Otherwise a warning
    says what does.

    Args:
        folder: the folder of the finished run
        plan: its plan, with the new number of epochs
        out: the new run folder; None means a folder in `runs/`
        moved: whether `plan` names a new place of the data, or of those without labels, which the new run records
        hooks: the observers, if the plan has been announced to them already

    Returns:
        The new run, with the history of all epochs.

    Raises:
        RequestError: the run is not finished, was stopped early, has as many epochs already, or has no checkpoint; or
            its data or one of its files has changed
        PluginError: a component of a plugin fails
        RunError: the training fails
    """
    refuse_processes("a run that is extended")
    avoid_importing_tensorflow()
    with folder.claimed():
        # Once more, now that no other process can change the run.
        planned = check_extensible(folder, plan.training.epochs)
        progress = _progress_of(folder, planned)
        hooks = hooks or announce(plan)
        data = read_data_of(folder, plan)
        split = recorded_split(folder, data)
        unlabelled = read_unlabelled_of(folder, plan, data, split)
        with fixed_settings():
            for line in _length_warnings(plan, planned, progress, steps_per_epoch(plan, data, split)):
                hooks.warn(line)
        extended = create_run_folder(plan.name, out)
        try:
            with atomic_folder(extended.path) as temporary:
                _copy(folder, RunFolder(temporary), plan, planned, moved=moved)
                extended.path.rmdir()
        except BaseException:
            with suppress(OSError):
                extended.path.rmdir()
            raise
    return resume(extended, plan, data=data, unlabelled=unlabelled, hooks=hooks)


def _progress_of(folder: RunFolder, planned: int) -> TrainingProgress:
    """Return the progress of a finished run; RequestError if it was changed, or stopped early."""
    folder.check_unchanged()
    progress = read_progress(folder.checkpoint)
    if progress.stopped:
        raise RequestError(
            f"Early stopping ended the run after epoch {progress.epoch} of {planned}: it would end there with more "
            "epochs, too.",
            where=str(folder.path),
            hint=f"To start a new run from its best network: marsseg run --plan {folder.path} --init {folder.path} "
            "--patience none",
        )
    return progress


def _length_warnings(plan: Plan, planned: int, progress: TrainingProgress, steps: int) -> Iterator[str]:
    """Yield a warning for each part of the plan by which the result differs from that of one training."""
    epochs = plan.training.epochs
    differs = f"The result is not that of one training of {epochs} epochs."
    if _rates_differ(plan, planned, progress, steps):
        entry = plan.resolved[kinds.SCHEDULE][0].entry
        yield (
            f"The schedule '{entry.name}' depends on the number of epochs: from epoch {progress.epoch + 1} on, the "
            f"learning rate is that of a training of {epochs} epochs. {differs}"
        )
    spec = weighting_spec(plan.resolved[kinds.LOSS])
    if len(spec.losses) > 1:
        weighting = type(build_component(plan.resolved[kinds.WEIGHTING][0], spec))
        if getattr(weighting, "on_epoch_begin", None) is not WeightingLayer.on_epoch_begin:
            entry = plan.resolved[kinds.WEIGHTING][0].entry
            yield f"The weighting '{entry.name}' may depend on the number of epochs. If it does: {differs}"
    if number_of_rounds(plan) > 1:
        entry = plan.resolved[kinds.METHOD][0].entry
        yield f"The rounds of '{entry.name}' are longer in a training of {epochs} epochs. {differs}"
    if plan.training.averaging == "swa":
        yield f"Weight averaging (swa) began at a share of {planned} epochs; its average continues. {differs}"


def _rates_differ(plan: Plan, planned: int, progress: TrainingProgress, steps: int) -> bool:
    """Return whether the schedule has other learning rates in the finished epochs if there are more epochs."""
    rates = []
    for epochs in (planned, plan.training.epochs):
        spec = ScheduleSpec(
            plan.training.learning_rate,
            epochs,
            steps,
            plan.objective_changes,
            progress.best_by,
            plan.metrics.rises,
        )
        schedule = build_component(plan.resolved[kinds.SCHEDULE][0], spec)
        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return False  # a callback, which follows the scores of the epochs
        compared = np.linspace(0, progress.epoch * steps - 1, _COMPARED_STEPS).round().astype(int)
        rates.append([float(schedule(int(step))) for step in compared])
    return rates[0] != rates[1]


def _copy(folder: RunFolder, extended: RunFolder, plan: Plan, planned: int, *, moved: bool) -> None:
    """Write what a run resumes from, with the new number of epochs in its plan."""
    files = (folder.split, folder.labels, folder.cleaning, folder.history, folder.network, folder.checkpoint)
    plugins = folder.plugins.iterdir() if folder.plugins.is_dir() else ()
    for file in filter(Path.is_file, (*files, *plugins)):
        with extended.written(extended.path / file.relative_to(folder.path)) as temporary:
            shutil.copyfile(file, temporary)
    origin = {"run": os.path.abspath(folder.path), "epochs": planned}
    environment = folder.read_json(folder.environment) | start_of_process() | {"extends": origin}
    extended.write_json(extended.environment, environment)
    extended.log(f"extends {folder.path} from {planned} to {plan.training.epochs} epochs")
    import tomli_w

    document = read_toml(folder.plan)
    document["training"]["epochs"] = plan.training.epochs
    extended.write_text(extended.plan, tomli_w.dumps(document))
    if moved:
        record_data(extended, plan)
