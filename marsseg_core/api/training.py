"""Train a network: runs, series of runs, and what goes on with them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..components.interfaces import Executor
from ..data.split_check import check_split
from ..errors import RequestError
from ..experiments.members import MemberWorkers
from ..experiments.resumption import follow, is_series, plans_of_series, resume_series
from ..experiments.series import Series, plan_series, run_series
from ..files.atomic import refuse_existing
from ..files.run_folder import RunFolder
from ..hooks import CallbackObserver, HookCaller, announce
from ..networks.processes import processes
from ..networks.startup import check_backend, start_keras
from ..planning.arguments import count_of, flag_of, path_of, texts_of, value_of
from ..planning.executors import executor_of
from ..planning.fitting import check_has_method
from ..planning.plan import Plan
from ..planning.python_components import given_components
from ..planning.run_arguments import RunArguments, SeriesArguments, document_arguments
from ..registry import kinds
from ..registry.session import open_session
from ..runs.extensible import check_extensible
from ..training.distribution import check_devices, join_processes
from .callers import told_in_python
from .plans import plan, planned

if TYPE_CHECKING:
    import keras

    from ..planning.run_arguments import AnyPath, Data
    from ..runs.run import Run


@told_in_python()
@document_arguments(RunArguments)
def run(
    base: AnyPath | Plan | None = None,
    *,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    disable: Sequence[str] = (),
    trust: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    hooks: HookCaller | None = None,
    **arguments: Unpack[RunArguments],
) -> Run:
    """Train a network, store the best one, and score it on the test subset.

    A component is a composition (as on the command line), an instance (`loss=Dice(smooth=1.0)`) or a class. Several
    components are a list of these, and None means no component. If a class is not installed, for example because a
    notebook cell defines it, the run folder stores its source code.

    Args:
        base: What to start from: the name of a recipe, a plan file, a run, or a `Plan`. None is the recipe "default".
        out: The run folder, which must not exist. None creates a new one in runs/.
        overrides: Single values, as for `--set`: ["arch.dense.depth=3", "training.epochs=20"].
        plugins: Python files that define further components and hooks. They are executed.
        disable: Names of components, observers or plugins to disable: ["report"] draws no figures of each run.
        trust: Execute the plugin files that are stored with `base` (a plan or a run).
        callbacks: Keras callbacks to train with. They are logged, but not recorded in the plan.
        hooks: The observers, if `marsseg_plan_resolved` was called already.
        **arguments: Components: `arch`, `encoder`, `bottleneck`, `loss`, `weighting`, `augment`, `schedule`,
            `optimizer` and `data`. Options: every field of the plan's sections training (`epochs`, `batch`, `seed`, …),
            split and cleaning. An argument that is left out keeps its value in `base`. `arch` may also be a
            `keras.Model` (a copy of it is trained), or a function that makes one from a `NetworkSpec`. `data` may also
            be a `SegmentationData`, or a pair of arrays: images and masks.

    Returns:
        The run, with its best network, history and scores. If Ctrl-C ended the training, `run.interrupted` is True.

    Raises:
        RequestError: A name or value is wrong, the components or the data do not fit together, or `base` needs `trust`.
        PluginError: A component cannot be loaded, or fails.
        RunError: The run fails, for example by a loss that is not finite, or a full disk.

    Example:
        ```python
        run = marsseg.run("report", arch="dense:width=0.5", epochs=3, overrides=["arch.dense.depth=3"])
        print(run.scores["test"].miou)
        ```
    """
    check_backend()
    folder = None if out is None else path_of(out, "out")
    resolved = planned(base, overrides, plugins, disable, trust, arguments)
    check_split(resolved.split)
    check_devices(resolved)
    join_processes()
    callback_observer = _callbacks(callbacks)
    if hooks is not None and not isinstance(hooks, HookCaller):
        raise RequestError(f"hooks must be a HookCaller, not {type(hooks).__name__}.", where="hooks")
    hooks = hooks or announce(resolved)
    start_keras()
    from ..training.loop import execute

    return execute(resolved, out=folder, hooks=callback_observer.add_to(hooks))


@told_in_python()
@document_arguments(SeriesArguments)
def series(
    base: AnyPath | Plan | None = None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    on: str | Executor | None = None,
    jobs: int | None = None,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    disable: Sequence[str] = (),
    trust: bool = False,
    **arguments: Unpack[SeriesArguments],
) -> Series:
    """Run one plan several times, with several seeds or on several folds.

    Args:
        base: What to start from: the name of a recipe, a plan file, a run, or a `Plan`. None is the recipe "default".
        seeds: Number of runs, at least 2. Their seeds are the plan's seed and the ones after it.
        folds: Number of folds, at least 2, each tested in one run. Pass either `seeds` or `folds`.
        on: Where the runs are executed: an executor such as "local" or "ray:cpus=4", or an instance. None executes one
            after the other in this process, or `jobs` processes of this machine.
        jobs: Number of runs at the same time. None is 1.
        out: The folder that holds the runs, which must not exist. None creates a new one in runs/.
        overrides: Single values, as for `--set`.
        plugins: Python files that define further components and hooks. They are executed.
        disable: Names of components, observers or plugins to disable: ["report"] draws no figures of each run.
        trust: Execute the plugin files that are stored with `base` (a plan or a run).
        **arguments: Components, and options of training, split and cleaning, as for `run`.

    Returns:
        The series, with the metrics of each run and the mean and spread of each score. Its folder has a page,
        series.html.

    Raises:
        RequestError: A name or value is wrong, or not exactly one of `seeds` and `folds` is passed.
        PluginError: A component cannot be loaded, or fails.
        RunError: A run fails.

    Example:
        ```python
        series = marsseg.series(arch="unet", seeds=3)
        print(series.subsets()["test"]["miou"].mean)
        ```
    """
    check_backend()
    folder = None if out is None else path_of(out, "out")
    counts = [None if count is None else count_of(count, name) for name, count in (("seeds", seeds), ("folds", folds))]
    resolved = planned(base, overrides, plugins, disable, trust, arguments)
    check_split(resolved.split)
    kind, plans = plan_series(resolved, *counts)
    workers = None
    if on is not None or jobs is not None:
        executor = executor_of("local" if on is None else on, open_session(), "on")
        number = 1 if jobs is None else count_of(jobs, "jobs", at_least=1)
        workers = MemberWorkers(executor, number, texts_of(disable, "disable"))
    start_keras()
    return _with_page(run_series(kind, plans, out=folder, workers=workers), resolved)


@told_in_python()
def resume(
    path: AnyPath,
    *,
    data: AnyPath | Data | None = None,
    unlabelled: AnyPath | None = None,
    arch: keras.Model | None = None,
    workers: int | None = None,
    trust: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run | Series:
    """Resume a killed or interrupted run from its last checkpoint, and finish it; or go on with a series.

    Of a series, the finished runs are kept, the interrupted one is resumed, and the runs that have not begun are run.

    Args:
        path: The folder of the run or the series.
        data: The data of the run, if they were passed as Python objects; or their new path, if they were moved. The new
            path is recorded, also for a finished run. None reads the data that the plan names.
        unlabelled: The new path of the images without labels, if they were moved. It is recorded as that of `data` is.
        arch: The network at the start of the run, if it was passed as a `keras.Model`.
        workers: Another number of threads or processes that prepare batches, which changes no result.
        trust: Execute the plugin files that are stored with the run.
        callbacks: Keras callbacks to train with.

    Returns:
        The run, as `run` returns it, or the series, as `series` returns it.

    Raises:
        RequestError: The folder is no unfinished run or series; `data` or `arch` is missing, or not the same as at the
            start; or the run needs `trust`.
        PluginError: A component cannot be loaded, or fails.
        RunError: The run fails.

    Example:
        ```python
        run = marsseg.resume("runs/interrupted")
        ```
    """
    check_backend()
    path, moved = path_of(path, "path"), _is_place(data) or unlabelled is not None
    place = value_of(unlabelled, "unlabelled")
    if is_series(path):
        if wrong := [name for name, value in (("arch", arch), ("callbacks", callbacks)) if value not in (None, (), [])]:
            raise RequestError(
                f"A series is resumed without '{wrong[0]}'.", where=wrong[0], hint="Resume its runs one by one."
            )
        source = None if data is None else given_components(kinds.DATASET, data)
        training = {name: value for name, value in (("unlabelled", place), ("workers", workers)) if value is not None}
        plans = plans_of_series(path, open_session(trust=flag_of(trust, "trust")), source, training)
        if place is not None:
            check_has_method(next(iter(plans.values())).resolved, "unlabelled")
        start_keras()
        return _with_page(resume_series(path, plans, moved=moved), next(iter(plans.values())))
    folder = RunFolder.open(path)
    if not moved:
        folder.check_unfinished()
    resolved = _plan_of_run(folder, trust, data, arch, workers=workers, unlabelled=place)
    join_processes()
    callback_observer = _callbacks(callbacks)
    start_keras()
    from ..training.loop import resume as resume_training

    run = resume_training(folder, resolved, moved=moved, hooks=callback_observer.add_to(announce(resolved)))
    if processes().leads and (series := follow(folder.path)) is not None:
        _with_page(series, resolved)
    return run


@told_in_python()
def extend(
    path: AnyPath,
    *,
    epochs: int,
    out: AnyPath | None = None,
    data: AnyPath | Data | None = None,
    unlabelled: AnyPath | None = None,
    arch: keras.Model | None = None,
    trust: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Train a finished run for more epochs, in a new run folder.

    The finished run stays as it is. If nothing in its plan depends on the number of epochs, as with the schedules
    constant and plateau, the new run equals one training with all epochs. Otherwise, as with cosine and onecycle, a
    warning is logged, and the learning rate goes on as in a training of the new length.

    Args:
        path: The folder of the finished run.
        epochs: The new total number of epochs.
        out: The new run folder, which must not exist. None creates one in runs/.
        data: The data of the run, if they were passed as Python objects; or their new path, if they were moved.
        unlabelled: The new path of the images without labels, if they were moved.
        arch: The network at the start of the run, if it was passed as a `keras.Model`.
        trust: Execute the plugin files that are stored with the run.
        callbacks: Keras callbacks to train with.

    Returns:
        The new run, with the history of all epochs.

    Raises:
        RequestError: The run is not finished, was stopped early, has no checkpoint, or has as many epochs already;
            `data` or `arch` is missing, or not the same as at the start; or the run needs `trust`.
        PluginError: A component cannot be loaded, or fails.
        RunError: The run fails.

    Example:
        ```python
        run = marsseg.extend("runs/finished", epochs=60)
        ```
    """
    check_backend()
    folder = RunFolder.open(path_of(path, "path"))
    target = None if out is None else path_of(out, "out")
    place = value_of(unlabelled, "unlabelled")
    total = count_of(epochs, "epochs", at_least=1)
    resolved = _plan_of_run(folder, trust, data, arch, epochs=total, unlabelled=place)
    if target is not None:
        refuse_existing(target)
    check_extensible(folder, total)
    callback_observer = _callbacks(callbacks)
    start_keras()
    from ..training.extension import extend as extend_training

    return extend_training(
        folder,
        resolved,
        out=target,
        moved=_is_place(data) or place is not None,
        hooks=callback_observer.add_to(announce(resolved)),
    )


@told_in_python()
def report(path: AnyPath, *, data: AnyPath | Data | None = None, trust: bool = False) -> Run:
    """Write the figures and the page of a run that has ended, for example because the disk was full at its end.

    Args:
        path: The run folder.
        data: The data of the run, if they were passed as Python objects; or their new path, if they were moved, which
            is recorded.
        trust: Execute the plugin files that are stored with the run.

    Returns:
        The run, with its best network, history and scores.

    Raises:
        RequestError: The run has not ended or has no network, its data or files have changed, or it needs `trust`.
        PluginError: A component cannot be loaded, or fails.
        RunError: The report cannot be written.

    Example:
        ```python
        marsseg.report("runs/finished")
        ```
    """
    check_backend()
    folder = RunFolder.open(path_of(path, "path"))
    resolved = _plan_of_run(folder, trust, data, None)
    start_keras()
    from ..training.ended import write_report

    return write_report(folder, resolved, moved=_is_place(data))


def _callbacks(value: Any) -> CallbackObserver:
    """Check Keras callbacks; RequestError for anything else. Without callbacks, Keras is not imported."""
    callbacks = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if callbacks:
        start_keras()
        import keras

        if wrong := [each for each in callbacks if not isinstance(each, keras.callbacks.Callback)]:
            hint = "Pass instances, not classes: [keras.callbacks.EarlyStopping('val_loss')]."
            what = f"callbacks must be a list of Keras callbacks; it contains {type(wrong[0]).__name__}."
            raise RequestError(what, where="callbacks", hint=hint)
    return CallbackObserver(callbacks)


def _with_page(result: Series, resolved: Plan) -> Series:
    """Write the page of a series, and return it."""
    from ..figures.series_page import write_series_page

    write_series_page(result, resolved.metrics)
    return result


def _is_place(data: Any) -> bool:
    """Return whether `data` names data that can be found again, which a run records."""
    return isinstance(data, str | os.PathLike)


def _plan_of_run(folder: RunFolder, trust: bool, data: Any, arch: Any, **training: Any) -> Plan:
    """Return the plan of a run with these replacements.

    Raises RequestError where `arch` is not the network of the run, or where it uses no `unlabelled`.
    """
    stored = plan(folder, trust=trust)
    replaced: Any = {"data": data, "arch": arch, **training}
    replaced = {name: value for name, value in replaced.items() if value is not None}
    resolved = plan(folder, trust=trust, **replaced) if replaced else stored
    if stored.one(kinds.ARCHITECTURE) != resolved.one(kinds.ARCHITECTURE):
        raise RequestError("The network is not the one that the run started with.", where="arch")
    if training.get("unlabelled") is not None:
        check_has_method(resolved.resolved, "unlabelled")
    return resolved
