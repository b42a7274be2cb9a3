"""One run: from a plan to a scored network in its folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import keras

from ..data.arrays import SegmentationData
from ..data.doubts import doubts
from ..data.leaks import identical_across
from ..data.splits import Split, make_split
from ..errors import MarssegError, PluginError, RequestError, RunError
from ..evaluation.evaluate import evaluate
from ..files.run_folder import FINISHED, INTERRUPTED, RunFolder, create_run_folder
from ..hooks import HookCaller, announce
from ..messages import get_logger
from ..networks.build import build_network
from ..networks.heads import scored_network
from ..networks.keras_backend import environment, fixed_settings, keep_tensorflow_out, own_random_numbers
from ..networks.read import load_network
from ..networks.wiring import same_wiring
from ..planning.plan import Plan
from ..registry.distribution import DISTRIBUTION
from ..registry.loading import failing_place
from ..registry.source_code import module_file, own_code
from ..runs.data import read_data
from ..runs.log import run_log
from ..runs.recorded_data import recorded_split
from ..runs.run import Run
from .averaging import TakeIn
from .callbacks import EpochClock, FiniteLoss, IdleLoss, Interruption, Observer, Scoring, Weights
from .checkpoint import RestoreStates, TrainingProgress
from .checkpointer import Checkpointer, FileCheckpointer
from .keeper import Keeper
from .setup import TrainingSetup, set_up_training

_logger = get_logger(__name__)


@fixed_settings()
@own_random_numbers()
def execute(
    plan: Plan,
    *,
    out: Path | None = None,
    data: SegmentationData | None = None,
    hooks: HookCaller | None = None,
    checkpointer: Callable[[RunFolder], Checkpointer] = FileCheckpointer,
) -> Run:
    """Read the data, split it, train, keep the best network, score the test subset once.

    Nothing is written before data and network are sound. Ctrl-C ends the training early, with the best network so
    far kept and the test subset unscored. `data` is the plan's data set where it has been read already, `hooks` are the
    observers where they know of the plan already, and `checkpointer` makes what keeps the run folder's checkpoint.
    """
    with run_log(hooks.warnings if hooks else ()) as log:
        keep_tensorflow_out()
        hooks = hooks or announce(plan)
        if data is None:
            data = read_data(plan)
        split = make_split(data, plan.split)
        remarks = [*plan.remarks, *doubts(data, split), *filter(None, [identical_across(data, split)])]
        for line in remarks:
            _logger.warning(line)
        setup = set_up_training(plan, data, split, best_by=plan.metrics.best_by)
        folder = create_run_folder(plan.name, out)
        with folder.claimed():
            run = _new_run(plan, folder, data, split, setup, plan.metrics.best_by)
            with _failure_told(run, hooks):
                _write_beginning(run)
                log.begin(folder)
                if setup.transfer is not None:
                    folder.log(str(setup.transfer))
                    if misfits := setup.transfer.misfit_text():
                        _logger.warning(misfits)
                _train_and_score(run, setup, hooks, checkpointer(folder), progress=None)
        return run


@fixed_settings()
@own_random_numbers()
def resume(
    folder: RunFolder,
    plan: Plan,
    *,
    hooks: HookCaller | None = None,
    checkpointer: Callable[[RunFolder], Checkpointer] = FileCheckpointer,
) -> Run:
    """Go on with a run that was killed or interrupted, from its last checkpoint, as if it had never stopped.

    `plan` is what the folder's plan.toml says; `checkpointer` is that of `execute`. Raises RequestError where the run
    is finished or still going on, where its data or one of its files has changed, or where its checkpoint is broken; it
    is left as it is then.
    """
    keep_tensorflow_out()
    with folder.claimed(), run_log(hooks.warnings if hooks else ()) as log:
        hooks = hooks or announce(plan)
        folder.check_unfinished()
        folder.check_unchanged()
        data = read_data(plan)
        split = recorded_split(folder, data)
        progress, network, rewired = None, None, ""
        kept = checkpointer(folder)
        best_by = plan.metrics.best_by
        if kept.saved:
            best_by = kept.progress().best_by  # what the network that it has was kept by
            network, rewired = _network_to_go_on_with(folder, plan, data)
        setup = set_up_training(plan, data, split, network, best_by=best_by)
        if kept.saved:
            progress = kept.load(setup.task)
        folder.remove_leftovers()
        run = _new_run(plan, folder, data, split, setup, best_by)
        with _failure_told(run, hooks):
            log.begin(folder)
            _warn_of_another_environment(run)
            if rewired:
                _logger.warning(rewired)
            if best_by != plan.metrics.best_by:
                what = (
                    f"The best network goes on being kept by {best_by}, as the run began; its plan now means another."
                )
                _logger.warning(what)
            folder.log(f"resumed after epoch {progress.epoch if progress else 0}")
            _train_and_score(run, setup, hooks, kept, progress)
    return run


def _network_to_go_on_with(folder: RunFolder, plan: Plan, data: SegmentationData) -> tuple[keras.Model, str]:
    """The network that the run was trained with so far, and a line where that is not what its plan builds now.

    A component may be wired differently in another version; the weights of the checkpoint belong to the wiring that is
    stored with the best network. RequestError where that one lacks the auxiliary heads that the training needs.
    """
    built = build_network(plan, data.images.shape[1:], data.num_classes)
    saved = load_network(folder)
    if same_wiring(scored_network(built), saved):
        return built, ""
    before = folder.read_json(folder.environment)["versions"].get(DISTRIBUTION)
    if isinstance(built.output, dict):
        raise RequestError(
            "The installed components build another network than the one the run was trained with, and its auxiliary "
            "heads are not kept.",
            where=str(folder.path),
            hint=f"Go on with the version it began with: pip install {DISTRIBUTION}=={before}.",
        )
    return saved, "The installed components build another network than the run began with: it goes on with its own."


def _new_run(
    plan: Plan, folder: RunFolder, data: SegmentationData, split: Split, setup: TrainingSetup, best_by: str
) -> Run:
    network, steps = setup.task.scored, len(setup.batches)
    return Run(plan, folder, data, split, network, steps, transfer=setup.transfer, best_by=best_by)


def _warn_of_another_environment(run: Run) -> None:
    before, now = run.folder.read_json(run.folder.environment), environment(run.plan.distributions)
    changed = [
        f"{name} {before['versions'].get(name)} → {version}"
        for name, version in now["versions"].items()
        if before["versions"].get(name) != version
    ]
    changed += [
        f"{key} {before[key]} → {now[key]}"
        for key in ("backend", "devices", "threads")
        if key in before and before[key] != now[key]
    ]
    if changed:
        _logger.warning(
            f"The run began in another environment ({'; '.join(changed)}): its numbers may not be the same."
        )


def _train_and_score(
    run: Run, setup: TrainingSetup, hooks: HookCaller, checkpointer: Checkpointer, progress: TrainingProgress | None
) -> None:
    hooks("marsseg_network_built", run=run)
    status = _train(run, setup, hooks, checkpointer, progress)
    average = setup.task.average
    if average is not None and average.empty and run.best_epoch is not None:
        _logger.warning("The training ended before its average of weights began: the network kept is a single epoch's.")
    _write_end(run, status)
    hooks("marsseg_run_finished", run=run)


@contextmanager
def _failure_told(run: Run, hooks: HookCaller) -> Iterator[None]:
    """Write into the log why the run fails, and tell the observers; the error goes on. Ctrl-C is no failure."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = str(error) if isinstance(error, MarssegError) else f"{type(error).__name__}: {error}".splitlines()[0]
        with suppress(RunError):  # where the disk is full, the log is too
            run.folder.log(f"failed: {text}")
        hooks("marsseg_run_failed", run=run, error=error)
        raise


def _train(
    run: Run, setup: TrainingSetup, hooks: HookCaller, checkpointer: Checkpointer, progress: TrainingProgress | None
) -> str:
    training, task = run.plan.training, setup.task
    keeper = Keeper(run, setup.stateful, hooks, checkpointer)
    if progress is not None:
        keeper.go_on_from(progress)
        if progress.epoch >= training.epochs or progress.stopped:
            return FINISHED
    scored_training = run.split["train"] if training.score_training else None
    observers = [
        Observer(callback)
        for given in hooks("marsseg_callbacks", run=run)
        for callback in (given if isinstance(given, list | tuple) else [given])
    ]
    interruption = Interruption()
    callbacks = [
        interruption,
        EpochClock(setup.batches),
        FiniteLoss(training.precision),
        IdleLoss(),
        *([TakeIn(training.swa_start, training.epochs)] if training.averaging == "swa" else []),
        Scoring(
            run.data,
            run.split["validation"],
            training.batch,
            scored_training,
            setup.objective.targets,
            table=run.plan.metrics,
            watched={run.best_by, *setup.watched},
        ),
        Weights(training.epochs),
        *setup.stateful,
        *([RestoreStates(setup.stateful, progress)] if progress is not None else []),
        keeper,
        *observers,
    ]
    begin = progress.epoch if progress is not None else 0
    try:
        with interruption.listening():
            task.fit(
                setup.batches,
                epochs=training.epochs,
                initial_epoch=begin,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except BaseException as end:
        # `fit` leaves its callbacks as they are when it is broken off: a live bar would keep the terminal.
        for observer in observers:
            observer.on_train_end()
        if isinstance(end, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(end, MarssegError) or not isinstance(end, Exception):
            raise
        if setup.batches.failure is not None:  # backends wrap what a thread of the pipeline raises
            raise setup.batches.failure from end
        _as_plugin_error(run.plan, end)
        what = (str(end).strip() or type(end).__name__).splitlines()[0]
        hint = "`marsseg --traceback …` shows where."
        if "memory" in str(end).lower() or "exhausted" in str(end).lower():
            hint = "Smaller batches need less memory."
        raise RunError(f"The training failed: {type(end).__name__}: {what}", hint=hint) from end
    return FINISHED


def _as_plugin_error(plan: Plan, cause: Exception) -> None:
    """PluginError where an exception came out of the code of a third party's component."""
    foreign = [
        each for several in plan.resolved.values() for each in several if each.entry.distribution != DISTRIBUTION
    ]
    for of in (module_file, own_code):  # of several in one package, the one whose module it is
        for chosen in foreign:
            if place := failing_place(of(chosen.entry.module), cause):
                what = f"The {chosen.entry.label} failed: {type(cause).__name__}: {cause}"
                raise PluginError(what, where=f"{place}, {chosen.component!r}") from cause


def _write_beginning(run: Run) -> None:
    folder = run.folder
    for plugin in run.plan.plugins:
        folder.write_bytes(folder.plugins / plugin.name, plugin.source)
    folder.write_text(folder.plan, run.plan.to_toml())
    folder.write_json(
        folder.split,
        {"schema": 1, "fingerprint": run.data.fingerprint(), "source": run.data.source}
        | {"classes": list(run.data.class_names), "ignored": list(run.data.ignore_classes)}
        | {"scaling": None if run.data.scaling is None else run.data.scaling.to_json()}
        | run.split.to_json(),
    )
    if run.data.cleaning is not None:
        folder.write_json(folder.cleaning, {"schema": 1} | run.data.cleaning.to_json())
        folder.log(f"cleaned: {run.data.cleaning}")
    if run.data.scaling is not None:
        folder.log(f"values: {run.data.scaling}")
    started = {"started": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}", "process": os.getpid()}
    folder.write_json(folder.environment, environment(run.plan.distributions) | started)
    folder.log(f"{run.plan.name}: {run.network.count_params():,} parameters, {len(run.split.train)} training images")


def _write_end(run: Run, status: str) -> None:
    """Score the best network: validation always, the test subset only at a run's proper end."""
    run.metrics = {"schema": 2, "status": status, "epochs": len(run.history)}
    run.metrics |= {"best_epoch": run.best_epoch, "best_by": run.best_by, "subsets": {}}
    if run.best_epoch is not None:
        run.network = load_network(run.folder)
        score = partial(
            evaluate, run.network, run.data, batch=run.plan.training.batch, metrics=run.plan.metrics.computed()
        )
        run.scores = {subset: score(run.split[subset]) for subset in ("validation", "test")[: 1 + (status == FINISHED)]}
        run.metrics["subsets"] = {subset: confusion.to_json() for subset, confusion in run.scores.items()}
    run.folder.write_json(run.folder.metrics, run.metrics)
    run.folder.log(status)
