"""Execute a run, from its plan to a scored network in a run folder; or resume one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from ..data.arrays import SegmentationData
from ..data.doubts import check_validation, doubts
from ..data.leaks import leak_warnings
from ..data.split import Split
from ..data.splits import make_split
from ..errors import MarssegError, RunError
from ..failures import describe
from ..files.run_folder import FINISHED, INTERRUPTED, RunFolder, create_run_folder
from ..files.waiting import waiting
from ..hooks import HookCaller, announce
from ..messages import get_logger
from ..networks.keras_backend.settings import avoid_importing_tensorflow, fixed_settings, preserve_random_state
from ..networks.precision import settle_precision
from ..planning.options import LAST
from ..planning.plan import Plan
from ..registry.process_state import keep_process_state
from ..runs.data import read_data
from ..runs.log import run_log
from ..runs.pretrained import PublishedWeights, settle_weights
from ..runs.recorded_data import read_data_of, recorded_split
from ..runs.run import Run
from ..runs.unlabelled import Unlabelled, read_unlabelled, read_unlabelled_of
from .beginning import log_transfer, network_to_resume, warn_of_another_environment, write_beginning
from .checkpoint import TrainingProgress
from .checkpointer import Checkpointer, FileCheckpointer
from .distribution import Devices, devices_of
from .ended import record_move, relocate
from .ending import write_end
from .fit import fit
from .labelling import label_images, labels_to_resume
from .setup import TrainingSetup, set_up_training

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
    training early: the network so far is stored, and the test subset is not scored.

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
            _follow(run, setup, hooks, devices, checkpointer(folder), None)
            return run
        folder = create_run_folder(plan.name, out)
        devices.from_leader(str(folder.path.absolute()))
        with folder.removed_if_empty(), folder.claimed():
            run = _new_run(plan, folder, data, split, setup, best_by, unlabelled)
            with _failure_reported(run, hooks):
                write_beginning(run, labels)
                log.begin(folder)
                log_transfer(run)
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
                network, network_warning = network_to_resume(folder, plan, data)
        labels = labels_to_resume(folder, plan, data, split, unlabelled)
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
                write_beginning(run, labels)
            log.begin(folder)
            if moved:
                record_move(run)
            warn_of_another_environment(run)
            if network_warning:
                _logger.warning(network_warning)
            if best_by != plan.metrics.best_by:
                _logger.warning(
                    f"The best network is still chosen by {best_by}, as when the run began; "
                    f"its plan would now choose by {plan.metrics.best_by}."
                )
            _logger.info(
                f"The run is resumed after epoch {progress.epoch if progress else 0} of {plan.training.epochs}."
            )
            log_transfer(run)
            _train_and_score(run, setup, hooks, devices, checkpoint, progress, score_test=score_test)
    return run


@waiting("Splitting the data")
def _new_split(plan: Plan, data: SegmentationData) -> Split:
    """Split the data of a plan, and warn of what is doubtful about the plan, the data and the split."""
    split = make_split(data, plan.split)
    check_validation(data, split)
    for line in (*plan.remarks, *split.remarks, *doubts(data, split), *leak_warnings(data, split)):
        _logger.warning(line)
    for line in split.notes:
        _logger.info(line)
    return split


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
    status = fit(run, setup, hooks, devices, checkpointer, progress)
    devices.leave(setup.task)
    average = setup.task.average
    if average is not None and average.empty and run.best_epoch is not None:
        _logger.warning(
            "The training ended before weight averaging began: the stored network has the weights of a single epoch."
        )
    chosen = run.best_epoch if run.plan.training.keep != LAST else None
    if chosen is not None and run.history[chosen - 1][run.best_by] is None:
        _logger.warning(
            f"{run.best_by} is undefined, so it chose no network: the stored one is that of epoch {chosen}."
        )
    write_end(run, status, setup.task, score_test=score_test)
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
    if fit(run, setup, hooks, devices, checkpointer, progress) == FINISHED:
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
