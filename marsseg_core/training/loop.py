"""Execute a run, from its plan to a scored network in a run folder; or resume one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..data.doubts import doubts
from ..data.leaks import leak_warnings
from ..data.split import Split
from ..data.splits import make_split
from ..errors import MarssegError, PluginError, RequestError, RunError
from ..failures import describe, memory_error, safe_repr
from ..files.run_folder import FINISHED, INTERRUPTED, RunFolder, create_run_folder
from ..files.waiting import waiting
from ..hooks import HookCaller, announce
from ..messages import get_logger, log_waiting
from ..networks.build import build_network
from ..networks.heads import scored_network
from ..networks.keras_backend import (
    avoid_importing_tensorflow,
    environment,
    fixed_settings,
    preserve_random_state,
    temporary_gradients,
)
from ..networks.precision import settle_precision
from ..networks.read import load_network
from ..networks.wiring import same_wiring
from ..planning.options import OFFSETS
from ..planning.plan import Plan
from ..registry import kinds
from ..registry.distribution import DISTRIBUTION
from ..registry.loading import failure_location
from ..registry.process_state import keep_process_state
from ..registry.source_code import module_file, source_root
from ..runs.data import read_data
from ..runs.log import run_log
from ..runs.pretrained import PublishedWeights, settle_weights
from ..runs.recorded_data import read_data_of, recorded_split
from ..runs.run import Run
from ..runs.unlabelled import Unlabelled, read_unlabelled, read_unlabelled_of
from .assembly import input_shape
from .averaging import UpdateAverage
from .callbacks import (
    EncoderEpochs,
    EpochClock,
    FiniteLoss,
    GuardedCallback,
    IdleLoss,
    Interruption,
    ProcessState,
    Scoring,
    WeightingUpdates,
)
from .checkpoint import RestoreStates, TrainingProgress
from .checkpointer import Checkpointer, FileCheckpointer
from .chosen_decoding import choose_decoding
from .distribution import Devices, devices_of
from .ended import record_move, relocate, score_subsets
from .labelling import label_images, store_labels, stored_labels
from .leading import SharedLogs, led
from .recorder import RunRecorder
from .rounds import Rounds, number_of_rounds
from .semi import SemiRamp
from .setup import TrainingSetup, set_up_training
from .task import SegmentationTask

_logger = get_logger(__name__)


@fixed_settings()
@preserve_random_state()
@keep_process_state()
def execute(
    plan: Plan,
    *,
    out: Path | None = None,
    data: SegmentationData | None = None,
    hooks: HookCaller | None = None,
    checkpointer: Callable[[RunFolder], Checkpointer] = FileCheckpointer,
    score_test: bool = True,
) -> Run:
    """Read and split the data, train the network, store the best one, and score it.

    Nothing is written before the data has been read and the network has been built and checked. Ctrl-C ends the
    training early: the best network so far is stored, and the test subset is not scored.

    Where several processes train together, process 0 alone writes, scores and calls the observers. The run of another
    process has the history and the metrics of process 0, but not the best network.

    Args:
        plan: the resolved plan
        out: the new run folder; None means a folder in `runs/`
        data: the plan's data set, if it has been read already
        hooks: the observers, if the plan has been announced to them already
        checkpointer: makes the checkpointer of a run folder
        score_test: whether the test subset is scored when the training has ended. The trials of a sweep leave that to
            `ended.score_test`, as the test subset may choose none of them.

    Returns:
        The run, with its history and scores.

    Raises:
        RequestError: the plan does not fit the data, or `out` exists
        PluginError: a component of a plugin fails
        RunError: the training fails
    """
    devices = devices_of(plan)
    with run_log(hooks.warnings if hooks else ()) as log:
        avoid_importing_tensorflow()
        hooks = hooks or announce(plan)
        published: PublishedWeights = {}
        (plan,) = settle_weights(settle_precision([plan]), published)
        if data is None:
            data = read_data(plan)
        split = _new_split(plan, data)
        unlabelled = read_unlabelled(plan, data, split)
        labels = label_images(plan, data, split, unlabelled)
        best_by = plan.metrics.best_by
        devices.check_same(_work_text(plan, data, split))
        with devices.together():
            setup = set_up_training(
                plan,
                data,
                split,
                best_by=best_by,
                unlabelled=unlabelled,
                labels=labels,
                published=published,
                part=devices.part,
            )
        if not devices.leads:
            folder = RunFolder(devices.from_leader(None))
            run = _new_run(plan, folder, data, split, setup, best_by, unlabelled)
            _follow(run, setup, hooks, devices, FileCheckpointer(folder), None)
            return run
        folder = create_run_folder(plan.name, out)
        devices.from_leader(str(folder.path.absolute()))
        with folder.removed_if_empty(), folder.claimed():
            run = _new_run(plan, folder, data, split, setup, best_by, unlabelled)
            with _failure_reported(run, hooks):
                _write_beginning(run, labels)
                log.begin(folder)
                _log_transfer(run)
                _train_and_score(run, setup, hooks, devices, checkpointer(folder), None, score_test=score_test)
        return run


@fixed_settings()
@preserve_random_state()
@keep_process_state()
def resume(
    folder: RunFolder,
    plan: Plan,
    *,
    data: SegmentationData | None = None,
    unlabelled: Unlabelled | None = None,
    moved: bool = False,
    hooks: HookCaller | None = None,
    checkpointer: Callable[[RunFolder], Checkpointer] = FileCheckpointer,
    score_test: bool = True,
) -> Run:
    """Continue a run that was killed or interrupted, from its last checkpoint, as if it had never stopped.

    A run that was killed before its first checkpoint starts from its beginning. If it had no split yet either, the data
    are split now.

    Args:
        folder: the run folder
        plan: the plan in the folder's plan.toml
        data: the plan's data set, if it has been read already
        unlabelled: its images without labels, if they have been read already
        moved: whether `plan` names a new place of the data, or of those without labels, which is recorded. Of a
            finished run, only this is done.
        hooks: the observers, if the plan has been announced to them already
        checkpointer: makes the checkpointer of a run folder; the same as for `execute`
        score_test: whether the test subset is scored when the training has ended; the same as for `execute`

    Returns:
        The run, with its history and scores.

    Raises:
        RequestError: the run is finished, another process executes it, its data or one of its files has changed, or
            its checkpoint is broken. Then the folder is left unchanged.
        PluginError: a component of a plugin fails
        RunError: the training fails
    """
    if moved and folder.finished:
        return relocate(folder, plan)
    devices = devices_of(plan)
    with (
        folder.claimed() if devices.leads else nullcontext(),
        run_log(hooks.warnings if hooks else ()) as log,
    ):
        avoid_importing_tensorflow()
        hooks = hooks or announce(plan)
        folder.check_unfinished()
        folder.check_unchanged()
        if data is None:
            data = read_data_of(folder, plan)
        checkpoint = checkpointer(folder)
        has_split = checkpoint.saved or folder.split.is_file()
        split = recorded_split(folder, data) if has_split else _new_split(plan, data)
        if unlabelled is None:
            unlabelled = read_unlabelled_of(folder, plan, data, split)
        progress, network, network_warning = None, None, ""
        best_by = plan.metrics.best_by
        if checkpoint.saved:
            best_by = (
                checkpoint.progress().best_by
            )  # the run keeps its choice, even if this version has another default
            with devices.together():
                network, network_warning = _network_to_resume(folder, plan, data)
        labels = stored_labels(folder)
        if labels is None:
            labels = label_images(plan, data, split, unlabelled)
            if labels is not None and folder.environment.is_file():
                raise RequestError("The labels of the images without labels are gone.", where=str(folder.labels))
        with devices.together():
            setup = set_up_training(
                plan,
                data,
                split,
                network,
                best_by=best_by,
                unlabelled=unlabelled,
                labels=labels,
                part=devices.part,
            )
            if checkpoint.saved:
                progress = checkpoint.load(setup.task)
        # After this, all processes have read the folder, and process 0 may write.
        devices.check_same(_work_text(plan, data, split, progress))
        if not devices.leads:
            run = _new_run(plan, folder, data, split, setup, best_by, unlabelled)
            _follow(run, setup, hooks, devices, checkpoint, progress)
            return run
        folder.remove_leftovers()
        run = _new_run(plan, folder, data, split, setup, best_by, unlabelled)
        with _failure_reported(run, hooks):
            if progress is None and not folder.environment.is_file():  # killed before the first files were written
                _write_beginning(run, labels)
            log.begin(folder)
            if moved:
                record_move(run)
            _warn_of_another_environment(run)
            if network_warning:
                _logger.warning(network_warning)
            if best_by != plan.metrics.best_by:
                _logger.warning(
                    f"The best network is still chosen by {best_by}, as when the run began; "
                    f"its plan would now choose by {plan.metrics.best_by}."
                )
            folder.log(f"resumed after epoch {progress.epoch if progress else 0}")
            _log_transfer(run)
            _train_and_score(run, setup, hooks, devices, checkpoint, progress, score_test=score_test)
    return run


@waiting("Splitting the data")
def _new_split(plan: Plan, data: SegmentationData) -> Split:
    """Split the data of a plan, and warn of what is doubtful about the plan, the data and the split."""
    split = make_split(data, plan.split)
    for line in (*plan.remarks, *split.remarks, *doubts(data, split), *leak_warnings(data, split)):
        _logger.warning(line)
    return split


def _log_transfer(run: Run) -> None:
    """Log which initial weights were taken from another run."""
    if run.transfer is not None:
        run.folder.log(str(run.transfer))
        if mismatches := run.transfer.mismatch_text():
            _logger.warning(mismatches)


def _network_to_resume(folder: RunFolder, plan: Plan, data: SegmentationData) -> tuple[keras.Model, str]:
    """Return the network that the checkpoint's weights belong to, and a warning (or "").

    Usually that is the network that the plan builds. If another version of a component now connects the layers
    differently, it is the network in the run folder, and the warning says so. Raises RequestError where that network
    lacks auxiliary heads which the training needs.
    """
    built = build_network(plan, input_shape(plan, data), data.num_classes)
    saved = load_network(folder)
    if same_wiring(scored_network(built), saved):
        return built, ""
    old_version = folder.read_json(folder.environment)["versions"].get(DISTRIBUTION)
    if isinstance(built.output, dict):
        raise RequestError(
            "The installed components build another network than the one the run was trained with, and the run folder "
            "does not store its auxiliary heads.",
            where=str(folder.path),
            hint=f"Resume with the version that the run began with: pip install {DISTRIBUTION}=={old_version}.",
        )
    return saved, (
        "The installed components build another network than the one the run was trained with: "
        "the run continues with its own network."
    )


def _new_run(
    plan: Plan,
    folder: RunFolder,
    data: SegmentationData,
    split: Split,
    setup: TrainingSetup,
    best_by: str,
    unlabelled: Unlabelled | None,
) -> Run:
    network, steps = setup.task.scored, len(setup.batches)
    return Run(
        plan, folder, data, split, network, steps, transfer=setup.transfer, best_by=best_by, unlabelled=unlabelled
    )


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
            f"The run began in another environment ({'; '.join(changed)}): its results may not be the same."
        )


def _train_and_score(
    run: Run,
    setup: TrainingSetup,
    hooks: HookCaller,
    devices: Devices,
    checkpointer: Checkpointer,
    progress: TrainingProgress | None,
    *,
    score_test: bool,
) -> None:
    if devices.count > 1:
        run.folder.log(f"devices: {devices.count} in {devices.processes.count} processes")
    with devices.alone(setup.task):
        hooks("marsseg_network_built", run=run)
    status = _train(run, setup, hooks, devices, checkpointer, progress)
    devices.leave(setup.task)
    average = setup.task.average
    if average is not None and average.empty and run.best_epoch is not None:
        _logger.warning(
            "The training ended before weight averaging began: the stored network has the weights of a single epoch."
        )
    _write_end(run, status, setup.task, score_test=score_test)
    hooks("marsseg_run_finished", run=run)
    if status == FINISHED:
        devices.from_leader([run.history, run.metrics])
        devices.part_ways()


def _follow(
    run: Run,
    setup: TrainingSetup,
    hooks: HookCaller,
    devices: Devices,
    checkpointer: Checkpointer,
    progress: TrainingProgress | None,
) -> None:
    """Train together with process 0, and take its results."""
    if _train(run, setup, hooks, devices, checkpointer, progress) == FINISHED:
        run.history[:], run.metrics = devices.from_leader(None)
        run.best_epoch = run.metrics["best_epoch"]
        devices.part_ways()
    else:
        run.metrics = {"status": INTERRUPTED}


def _work_text(plan: Plan, data: SegmentationData, split: Split, progress: TrainingProgress | None = None) -> str:
    """Return a text that is the same in all processes if they train the same network on the same data."""
    return f"{plan.summary} {plan.training} {data.fingerprint()} {split.to_json()} {progress}"


@contextmanager
def _failure_reported(run: Run, hooks: HookCaller) -> Iterator[None]:
    """Log why the run fails, call the hook `marsseg_run_failed`, and raise the error again. Ctrl-C is no failure."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = str(error) if isinstance(error, MarssegError) else describe(error).partition("\n")[0]
        with suppress(RunError):  # if the disk is full, the log cannot be written either
            run.folder.log(f"failed: {text}")
        hooks("marsseg_run_failed", run=run, error=error)
        raise


def _train(
    run: Run,
    setup: TrainingSetup,
    hooks: HookCaller,
    devices: Devices,
    checkpointer: Checkpointer,
    progress: TrainingProgress | None,
) -> str:
    """Train the network; return the status of the run, FINISHED or INTERRUPTED."""
    training, task = run.plan.training, setup.task
    recorder = RunRecorder(run, setup.stateful, hooks, checkpointer)
    if progress is not None:
        recorder.restore(progress)
        if progress.epoch >= training.epochs or progress.stopped:
            return FINISHED
    scored_training = run.split["train"] if training.score_training else None
    plugin_callbacks = [
        GuardedCallback(callback)
        for result in hooks("marsseg_callbacks", run=run)
        for callback in (result if isinstance(result, list | tuple) else [result])
    ]
    scoring = Scoring(
        run.data,
        run.split["validation"],
        training.batch,
        scored_training,
        setup.objective.targets,
        table=run.plan.metrics,
        watched={run.best_by, *setup.watched},
    )
    interruption = Interruption()
    callbacks = [
        interruption,
        *([Rounds(run, setup.batches, devices)] if number_of_rounds(run.plan) > 1 else []),
        EpochClock(setup.batches),
        *([EncoderEpochs()] if task.encoder is not None else []),
        FiniteLoss(training.precision),
        IdleLoss(),
        *([UpdateAverage(training.swa_start, training.epochs)] if training.averaging == "swa" else []),
        *led(devices, [scoring]),
        *([SharedLogs(devices)] if devices.processes.count > 1 else []),
        WeightingUpdates(training.epochs),
        *[SemiRamp(method.options) for method in run.plan.resolved[kinds.METHOD]],
        *setup.stateful,
        *([RestoreStates(setup.stateful, progress)] if progress is not None else []),
        ProcessState(),
        *led(devices, [recorder, *plugin_callbacks]),
    ]
    begin = progress.epoch if progress is not None else 0
    try:
        # A component may have changed Keras' settings while it was built.
        with (
            interruption.listening(),
            fixed_settings(),
            keep_process_state(),
            temporary_gradients(),
            setup.batches.working(training.epochs - begin),
            devices.together(),
        ):
            task.fit(
                setup.batches,
                epochs=training.epochs,
                initial_epoch=begin,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except BaseException as error:
        # `fit` does not end its callbacks when an exception stops it: a progress bar would keep the terminal.
        for callback in plugin_callbacks:
            callback.on_train_end()
        # Instead of an exception of a pipeline thread, the backend has raised another one.
        cause = error if isinstance(error, MarssegError) else setup.batches.failure or error
        if isinstance(error, KeyboardInterrupt) or isinstance(cause, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(cause, MarssegError):
            raise cause from cause.__cause__
        if named := memory_error(cause) or _plugin_error(run.plan, cause):
            raise named from cause
        if not isinstance(error, Exception):  # an application ends the training, by SystemExit for example
            raise
        what = describe(cause).partition("\n")[0]
        hint = "`marsseg --traceback …` shows where."
        if devices.processes.count > 1:
            hint = f"Perhaps another process has ended: its messages say why. Then resume in all processes. {hint}"
        raise RunError(f"The training failed: {what}", hint=hint) from cause
    finally:
        if task.encoder is not None:
            task.encoder.end_epoch()  # an epoch may have been interrupted
    return FINISHED


def _plugin_error(plan: Plan, cause: BaseException) -> PluginError | None:
    """Return the error that names the component of a third party in whose code the exception was raised, or None."""
    foreign = [
        resolved
        for components in plan.resolved.values()
        for resolved in components
        if resolved.entry.distribution != DISTRIBUTION
    ]
    # First the module of each component, then the rest of its package: a package may have several components.
    for code_of in (module_file, source_root):
        for resolved in foreign:
            if place := failure_location(code_of(resolved.entry.module), cause):
                what = f"The {resolved.entry.label} failed: {describe(cause)}"
                return PluginError(what, where=f"{place}, {safe_repr(resolved.component)}")
    return None


def _write_beginning(run: Run, labels: np.ndarray | None) -> None:
    """Write the files that describe the run: plan, plugin files, split, labels, cleaning and environment."""
    folder = run.folder
    for plugin in run.plan.plugins:
        folder.write_bytes(folder.plugins / plugin.name, plugin.source)
    folder.write_text(folder.plan, run.plan.to_toml())
    folder.write_json(
        folder.split,
        {"schema": 1, "fingerprint": run.data.fingerprint(), "source": run.data.source}
        | {"classes": list(run.data.class_names), "ignored": list(run.data.ignore_classes)}
        | {"scaling": None if run.data.scaling is None else run.data.scaling.to_json()}
        | {"names": None if run.data.names is None else list(run.data.names)}
        | {"origin": run.split.origin}
        | ({} if run.unlabelled is None else {"unlabelled": run.unlabelled.to_json()})
        | run.split.to_json(),
    )
    if labels is not None:
        store_labels(folder, labels)
    if run.data.cleaning is not None:
        folder.write_json(folder.cleaning, {"schema": 1} | run.data.cleaning.to_json())
        folder.log(f"cleaned: {run.data.cleaning}")
    if run.data.scaling is not None:
        folder.log(f"values: {run.data.scaling}")
    if run.unlabelled is not None:
        folder.log(f"without labels: {run.unlabelled}")
    started = {"started": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}", "process": os.getpid()}
    folder.write_json(folder.environment, environment(run.plan.distributions) | started)
    folder.log(f"{run.plan.name}: {run.network.count_params():,} parameters, {len(run.split.train)} training images")


def _best_network(run: Run, status: str, task: SegmentationTask) -> keras.Model:
    """Load the best network of the run.

    If the training is finished, this is the trained network with the stored weights, because it is compiled already.
    """
    stored = load_network(run.folder)
    # An interruption inside a step may have left variables that JAX has deleted.
    if status != FINISHED or not same_wiring(task.scored, stored):
        return stored
    for weight, best in zip(task.scored.weights, stored.weights, strict=True):
        weight.assign(best)
    return task.scored


def _write_end(run: Run, status: str, task: SegmentationTask, *, score_test: bool) -> None:
    """Score the best network and write metrics.json. The test subset is scored only if the training is finished."""
    run.metrics = {"schema": 2, "status": status, "epochs": len(run.history)}
    if run.unlabelled is not None and run.unlabelled.transductive:
        run.metrics["transductive"] = True
    run.metrics |= {"best_epoch": run.best_epoch, "best_by": run.best_by, "subsets": {}}
    if run.best_epoch is not None:
        run.network = _best_network(run, status, task)
        with_offsets = run.plan.training.decoding == OFFSETS
        if with_offsets:
            run.decoding = choose_decoding(run)
        run.scores, plain = score_subsets(run, ("validation", "test")[: 1 + (score_test and status == FINISHED)])
        run.metrics["subsets"] = {subset: confusion.to_json() for subset, confusion in run.scores.items()}
        if with_offsets:
            run.metrics["decoding"] = OFFSETS
            run.metrics["argmax"] = {subset: confusion.to_json() for subset, confusion in plain.items()}
    run.folder.write_json(run.folder.metrics, run.metrics)
    log_waiting()
    run.folder.log(status)
