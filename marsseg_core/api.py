"""The Python interface: functions that build, train and score networks by the names of their components.

Notebooks and scripts call these functions as `marsseg.run(…)`. The command line is a thin layer over them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from .components.interfaces import Architecture, Bottleneck, Encoder, Executor, Loss
from .components.specs import LossSpec
from .conventions import HEADLINE, VOID, LossFunction
from .data.limits import SIDE_LIMIT
from .errors import RequestError, nearest
from .experiments.comparison import Comparison, compare_runs
from .experiments.members import MemberWorkers
from .experiments.resumption import follow, is_series, plans_of_series, resume_series
from .experiments.series import Series, plan_series, run_series
from .files.run_folder import RunFolder
from .hooks import CallbackObserver, HookCaller, announce
from .messages import get_logger
from .networks.processes import processes
from .networks.startup import check_backend, start_keras
from .planning.arguments import count_of, flag_of, path_of, paths_of, request_of, text_of, texts_of, value_of
from .planning.executors import executor_of
from .planning.fitting import check_has_method
from .planning.invoke import build_component, call_component
from .planning.plan import NETWORK_KINDS, Plan
from .planning.python_components import given_components
from .planning.resolver import resolve
from .planning.run_arguments import AS_PLANNED, RunArguments, SeriesArguments, document_arguments
from .registry import kinds, parameters
from .registry.kinds import ALL_KINDS
from .registry.listing import ComponentInfo, describe, find_kind
from .registry.session import open_session
from .shown import set_html_renderer
from .training.distribution import check_devices, join_processes

if TYPE_CHECKING:
    import keras
    import numpy as np

    from .data.arrays import SegmentationData
    from .data.ranges import Range
    from .evaluation.confusion import Confusion
    from .planning.run_arguments import Data, Network
    from .runs.run import Run
    from .sweeps.result import AblationResult, SweepResult
    from .sweeps.summary import Summary
    from .sweeps.sweep import Sweep

    AnyPath = str | os.PathLike[str]

_logger = get_logger(__name__)


def _html(result: Any) -> str:
    from .figures.notebook import html_of

    return html_of(result)


set_html_renderer(_html)


def _range(value: Any) -> Range:
    from .data.ranges import parse_range

    if not isinstance(value, str):
        hint = "Pass a text such as '0..4095', '0..1' or 'bits'."
        raise RequestError(f"range must be a text, not {type(value).__name__}.", where="range", hint=hint)
    return parse_range(value, "range")


def list_components(kind: str | None = None, *, plugins: Sequence[AnyPath] = ()) -> list[ComponentInfo]:
    """List the installed components, recipes and observers.

    Installed plugins are not imported, as their metadata and source text are enough. The files of `plugins` are
    executed.

    Args:
        kind: List only this kind: its name, its plural or its option ("architecture", "architectures", "arch").
            None lists all kinds.
        plugins: Python files whose components and hooks are listed too.

    Returns:
        One `ComponentInfo` for each entry, with its name, aliases, kind, summary, provider and status.

    Raises:
        RequestError: There is no such kind.
        PluginError: A file of `plugins` cannot be loaded.

    Example:
        ```python
        names = [each.name for each in marsseg.list_components("loss")]
        ```
    """
    chosen = None if kind is None else find_kind(text_of(kind, "kind"))
    if kind is not None and chosen is None:
        hint = nearest(kind, [each.name for each in ALL_KINDS])
        raise RequestError(f"There is no kind '{kind}'.", where="kind", hint=hint)
    return describe(chosen, paths_of(plugins, "plugins"))


def network(
    arch: str | Architecture | type[Architecture] | Network,
    *,
    encoder: str | Encoder | type[Encoder] | None = None,
    bottleneck: str | Bottleneck | type[Bottleneck] | Sequence[str | Bottleneck | type[Bottleneck]] | None = None,
    height: int = 64,
    width: int = 128,
    channels: int = 1,
    num_classes: int = 5,
    seed: int | None = None,
    plugins: Sequence[AnyPath] = (),
) -> keras.Model:
    """Build an untrained network from the name of an architecture.

    The network maps images (B, height, width, channels) with values in [0, 1] to logits (B, height, width,
    num_classes). It is always built in float32 and with channels last, also where Keras has other settings. It passes
    the same checks as in `run`.

    For large images, call `network.predict(images, batch_size=1)`. `network(images)` keeps all feature maps until it
    returns, which takes several times the memory.

    Args:
        arch: The architecture: a composition such as "dense:width=0.5", a class, an instance, a `keras.Model`, or a
            function that makes a `keras.Model` from a `NetworkSpec`.
        encoder: The encoder, for an architecture that takes one: a composition such as "efficientnet_lite0", a class or
            an instance. None builds the architecture's own.
        bottleneck: The bottlenecks, in order: a composition such as "transformer,aspp", a class, an instance, or a list
            of these. None builds the network without a bottleneck.
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        channels: Channels of an image: 1 for grey images, 3 for colour.
        num_classes: Number of classes, which is the number of channels of the logits. At least 2.
        seed: Passed to `keras.utils.set_random_seed`, which sets the random state of Keras, NumPy and Python. None
            draws the weights from Keras' current random state.
        plugins: Python files that define further components.

    Returns:
        The network, with new random weights, or those that the encoder names: "efficientnet_lite0:weights=imagenet".

    Raises:
        RequestError: A name or value is wrong, or the components do not fit together or the size of the images.
        PluginError: A component cannot be loaded, fails, or builds a network with another output.

    Example:
        ```python
        network = marsseg.network("dense:width=0.25", bottleneck="transformer,aspp", num_classes=5)
        logits = network.predict(images, batch_size=1)
        ```
    """
    start_keras()
    sizes = {"height": height, "width": width, "channels": channels}
    shape = [count_of(value, name, at_least=1, at_most=SIDE_LIMIT) for name, value in sizes.items()]
    classes = count_of(num_classes, "num_classes", at_least=2, at_most=VOID)
    request = request_of(arguments={"arch": arch, "encoder": encoder, "bottleneck": bottleneck}, plugins=plugins)
    resolved = resolve(request, open_session(), only=NETWORK_KINDS)
    from .networks.build import assemble_network
    from .networks.keras_backend import precision
    from .runs.pretrained import load_encoder_weights

    if seed is not None:
        import keras

        keras.utils.set_random_seed(count_of(seed, "seed", at_least=0))
    with precision():
        built = assemble_network(resolved, shape, classes)
        load_encoder_weights(resolved, built)
    return built


def loss(
    name: str | Loss | type[Loss],
    *,
    num_classes: int = 5,
    ignore_classes: Iterable[int] = (0,),
    class_frequencies: Sequence[int] | None = None,
    plugins: Sequence[AnyPath] = (),
) -> LossFunction:
    """Build one loss function by name, for `keras.Model.compile`.

    The function maps labels (B, H, W) and logits (B, H, W, K) to a scalar. Labels are whole numbers (integers or
    floats) from 0 to K − 1, or 255 for void. Called directly, the function raises RequestError for any other label and
    for shapes that do not match. It cannot raise inside a compiled step: there, a batch with a wrong label has the loss
    NaN and no gradient.

    To combine several losses, build each of them and add the results, or use `marsseg.run`, which weights them.

    Args:
        name: One loss: a composition such as "tversky:smooth=1" (as for `--loss`), a class or an instance. The
            parameter `weight` multiplies the loss: "dice:weight=0.5".
        num_classes: Number of classes, K.
        ignore_classes: Ids of the classes whose pixels do not count.
        class_frequencies: Number of pixels of each class in the training subset, for losses that weight classes. None
            counts all classes the same.
        plugins: Python files that define further components.

    Returns:
        The loss function, which checks its labels.

    Raises:
        RequestError: A name or value is wrong, `name` has several losses, or the loss needs targets that are computed
            from each mask (such as distance maps).
        PluginError: The loss cannot be loaded, or fails.

    Example:
        ```python
        model.compile("adamw", loss=marsseg.loss("dice:weight=0.5", num_classes=5))
        ```
    """
    start_keras()
    from .networks.keras_backend import fixed_settings

    request = request_of(arguments={"loss": name}, plugins=plugins)
    is_named = request.compositions["loss"] != parameters.NONE_WORD
    losses = resolve(request, open_session(), only=(kinds.LOSS,)).resolved[kinds.LOSS] if is_named else ()
    if len(losses) != 1:
        raise RequestError(
            f"'{name}' must name one loss.",
            hint="Build several losses one by one and add them, or use `marsseg.run(loss=…)`, which weights them.",
        )
    (chosen,) = losses
    equal_frequencies = (1,) * num_classes if isinstance(num_classes, int) else ()
    rows: Any = (ignore_classes, equal_frequencies if class_frequencies is None else class_frequencies)
    spec = LossSpec(num_classes, *rows)
    if call_component(chosen, chosen.component.targets, spec) is not None:
        raise RequestError(
            f"The loss '{name}' needs targets that are computed from each mask.",
            hint="Train with it by `marsseg.run`, or compute them with `Loss.targets` in your own training loop.",
        )
    if chosen.component.wants_images:
        raise RequestError(
            f"The loss '{name}' needs the images, which Keras does not pass to a loss.",
            hint="Train with it by `marsseg.run`.",
        )
    from .training.checked_loss import checked_loss

    with fixed_settings():
        function: LossFunction = build_component(chosen, spec)
    weight: Any = chosen.values["weight"]
    checked: LossFunction = fixed_settings()(checked_loss(function, chosen.entry.name, num_classes, weight))
    return checked


def dataset(name: AnyPath, *, plugins: Sequence[AnyPath] = (), **values: Any) -> SegmentationData:
    """Read a data set into memory, by its name or path.

    Args:
        name: A composition such as "synthetic:count=50", or the path of a file or folder such as "tiles.npz".
        plugins: Python files that define further data sets.
        **values: Parameters of the data set, as `count=50`.

    Returns:
        The images, masks and class names. Nothing is cleaned or split.

    Raises:
        RequestError: A name, path or parameter is wrong, or the data cannot be read or are not valid.
        PluginError: The data set cannot be loaded, or fails.

    Example:
        ```python
        data = marsseg.dataset("synthetic", count=50, height=64, width=128)
        ```
    """
    overrides = [f"data.1.{key}={parameters.to_text(value_of(value, key))}" for key, value in values.items()]
    request = request_of(arguments={"data": path_of(name, "name")}, overrides=overrides, plugins=plugins)
    data: SegmentationData = resolve(request, open_session(), only=(kinds.DATASET,)).one(kinds.DATASET).load()
    return data


@document_arguments(RunArguments)
def plan(
    base: AnyPath | None = None,
    *,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    trust: bool = False,
    **arguments: Unpack[RunArguments],
) -> Plan:
    """Resolve the plan of a run with these arguments, without running it.

    No data are read, no network is built, and Keras is not imported.

    Args:
        base: What to start from: the name of a recipe, a plan file, or a run. None is the recipe "default".
        overrides: Single values, as for `--set`: ["arch.dense.depth=3", "training.epochs=20"].
        plugins: Python files that define further components and hooks. They are executed.
        trust: Execute the plugin files that are stored with `base` (a plan or a run).
        **arguments: Components, and options of training, split and cleaning, as for `run`. An argument that is left out
            keeps its value in `base`.

    Returns:
        The plan: the resolved components and all options, each with its origin.

    Raises:
        RequestError: A name or value is wrong, the components do not fit together, or `base` needs `trust`.
        PluginError: A component or a file of `plugins` cannot be loaded.

    Example:
        ```python
        plan = marsseg.plan("report", arch="dense:width=0.5", epochs=3)
        print(plan.to_toml())
        ```
    """
    return resolve(request_of(base, arguments, overrides, plugins), open_session(trust=flag_of(trust, "trust")))


def _planned(base: Any, overrides: Any, plugins: Any, trust: Any, arguments: Any) -> Plan:
    """Return `base` if it is a Plan, else resolve the arguments; RequestError for a Plan with arguments."""
    if not isinstance(base, Plan):
        return plan(base, overrides=overrides, plugins=plugins, trust=trust, **arguments)
    others = {"overrides": overrides, "plugins": plugins, "trust": trust}.items()
    passed = [name for name, value in arguments.items() if value is not AS_PLANNED]
    if passed := [*passed, *(name for name, value in others if value not in ((), [], False))]:
        raise RequestError(
            f"A Plan is complete: '{passed[0]}' cannot be passed with it.",
            where="base",
            hint=f"Pass '{passed[0]}' to marsseg.plan(…).",
        )
    return base


@document_arguments(RunArguments)
def run(
    base: AnyPath | Plan | None = None,
    *,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
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
        trust: Execute the plugin files that are stored with `base` (a plan or a run).
        callbacks: Keras callbacks to train with. They are logged, but not recorded in the plan.
        hooks: The observers, if `marsseg_plan_resolved` was called already. Only the command line needs this.
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
    resolved = _planned(base, overrides, plugins, trust, arguments)
    check_devices(resolved)
    join_processes()
    callback_observer = _callbacks(callbacks)
    if hooks is not None and not isinstance(hooks, HookCaller):
        raise RequestError(f"hooks must be a HookCaller, not {type(hooks).__name__}.", where="hooks")
    hooks = hooks or announce(resolved)
    start_keras()
    from .training.loop import execute

    return execute(resolved, out=folder, hooks=callback_observer.add_to(hooks))


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
    resolved = _planned(base, overrides, plugins, trust, arguments)
    kind, plans = plan_series(resolved, *counts)
    workers = None
    if on is not None or jobs is not None:
        executor = executor_of("local" if on is None else on, open_session(), "on")
        workers = MemberWorkers(executor, 1 if jobs is None else count_of(jobs, "jobs", at_least=1))
    start_keras()
    return _with_page(run_series(kind, plans, out=folder, workers=workers), resolved)


def _with_page(result: Series, resolved: Plan) -> Series:
    """Write the page of a series, and return it."""
    from .figures.series_page import write_series_page

    write_series_page(result, resolved.metrics)
    return result


@document_arguments(RunArguments)
def sweep(
    base: AnyPath | None = None,
    *,
    vary: Mapping[str, Any] | AnyPath | None = None,
    trials: int | None = None,
    sampler: Literal["grid", "random", "tpe"] = "tpe",
    pruner: Literal["none", "median", "hyperband"] = "none",
    sampler_seed: int = 0,
    wall: str | None = None,
    cpu: str | None = None,
    best: int = 1,
    on: str | Executor = "local",
    jobs: int = 1,
    resume: AnyPath | None = None,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    disable: Sequence[str] = (),
    trust: bool = False,
    **arguments: Unpack[RunArguments],
) -> SweepResult:
    """Train networks whose plans differ in the settings that vary, and find the best on the validation subset.

    The trials run in other processes, so components are texts. Each trial is a run folder.

    Args:
        base: What to start from: the name of a recipe, a plan file, or a run. None is the recipe "default".
        vary: The values of each setting that varies, by its path: a text such as "0.25,0.5" or "1e-4..1e-2", or a list
            with one choice in each item. Or the path of a TOML file with the same content.
        trials: Number of trials. None is 20 without a budget, and all of a grid.
        sampler: How trials are chosen.
        pruner: How trials are ended early whose metric falls behind.
        sampler_seed: Seed of the sampler; `seed` is that of each training.
        wall: Begin no trial after this time: "90s", "30m", "1.5h" or "2d".
        cpu: Begin no trial after this processor time of all trials.
        best: Number of the best trials whose test subset is scored at the end.
        on: Where trials are executed: an executor such as "local:threads=1" or "slurm:partition=gpu", or an instance.
        jobs: Number of trials at the same time.
        resume: The folder of a sweep to go on with, possibly with other `trials`. The sweep has all other settings.
        out: The folder of the sweep, which must not exist. None creates a new one in runs/.
        overrides: Single values, as for `--set`.
        plugins: Python files that define further components and hooks. They are executed.
        disable: Names of components, observers or plugins to disable: ["report"] draws no figures of each trial.
        trust: Execute the plugin files that are stored with `base` (a plan or a run) or with the sweep.
        **arguments: Components, and options of training, split and cleaning, that are the same in all trials.

    Returns:
        The sweep, with its trials and the plan of the best. If Ctrl-C ended it, `sweep.interrupted` is True.

    Raises:
        RequestError: A name, a path or a value is wrong, nothing varies, or an extra is not installed.
        PluginError: A component or a file of `plugins` cannot be loaded.

    Example:
        ```python
        sweep = marsseg.sweep(
            arch="unet",
            vary={"loss": ["wssce", "wssce,dice"], "training.learning_rate": "1e-4..1e-2"},
            trials=40,
            jobs=2,
        )
        run = marsseg.run(sweep.best_plan)
        ```
    """
    check_backend()
    from .files.atomic import refuse_existing
    from .sweeps.options import SweepRequest, make_options
    from .sweeps.space import make_space
    from .sweeps.sweep import begin_sweep, open_sweep

    places, disabled = count_of(jobs, "jobs", at_least=1), texts_of(disable, "disable")
    number = None if trials is None else count_of(trials, "trials", at_least=1)
    session = open_session(disable=disabled, trust=flag_of(trust, "trust"))
    executor = executor_of(on, session, "on")
    folder = None if out is None else path_of(out, "out")
    if resume is not None:
        _refuse_others("A sweep", {**arguments, "base": base, "vary": vary, "out": out})
        path = path_of(resume, "resume")
        return _swept(open_sweep(path, trials=number, disable=disabled, trust=trust), executor, places, trust)
    options = make_options(
        _varied(vary),
        sampler=text_of(sampler, "sampler"),
        pruner=text_of(pruner, "pruner"),
        seed=count_of(sampler_seed, "sampler_seed", at_least=0),
        trials=number,
        wall=None if wall is None else text_of(wall, "wall"),
        cpu=None if cpu is None else text_of(cpu, "cpu"),
        report=count_of(best, "best", at_least=0),
    )
    request = SweepRequest.of_texts(options, request_of(base, arguments, overrides, plugins), disabled)
    space = make_space(options.varied, request.request, session)
    for line in space.warnings:
        _logger.warning(line)
    if folder is not None:
        refuse_existing(folder, "out")
    executor.check()
    # The plugin files are those of this call: its workers may execute their copies.
    return _swept(begin_sweep(request, space, session, folder), executor, places, trust or bool(plugins))


@document_arguments(RunArguments)
def ablate(
    base: AnyPath | None = None,
    *,
    vary: Mapping[str, Any] | AnyPath | None = None,
    one_at_a_time: bool = False,
    seeds: int = 3,
    by: str | None = None,
    subset: Literal["test", "validation"] | None = None,
    on: str | Executor = "local",
    jobs: int = 1,
    resume: AnyPath | None = None,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    disable: Sequence[str] = (),
    trust: bool = False,
    **arguments: Unpack[RunArguments],
) -> AblationResult:
    """Train all combinations of some choices with several seeds, and find the effect of each choice on the score.

    The runs are executed in other processes, so components are texts. Each run is a run folder.

    Args:
        base: What to start from: the name of a recipe, a plan file, or a run. None is the recipe "default".
        vary: The choices of each setting that varies, by its path; the first is the baseline. A text like "0.25,0.5",
            or a list with one choice in each item; or the path of a TOML file with the same content.
        one_at_a_time: Vary one setting at a time, instead of the full grid.
        seeds: Number of runs of each combination. The first seed is `seed`, or 0.
        by: The score whose effects are shown. None is "miou".
        subset: The subset that is scored. None is "test". With "validation", no run scores its test subset.
        on: Where runs are executed: an executor such as "local:threads=1" or "slurm:partition=gpu", or an instance.
        jobs: Number of runs at the same time.
        resume: The folder of an ablation to go on with, or to compute other results of it with `by`. It has all other
            settings.
        out: The folder of the ablation, which must not exist. None creates a new one in runs/.
        overrides: Single values, as for `--set`.
        plugins: Python files that define further components and hooks. They are executed.
        disable: Names of components, observers or plugins to disable: ["report"] draws no figures of each run.
        trust: Execute the plugin files that are stored with `base` (a plan or a run) or with the ablation.
        **arguments: Components, and options of training, split and cleaning, that are the same in all runs.

    Returns:
        The ablation, with the effect of each choice. If Ctrl-C ended it, `ablation.interrupted` is True.

    Raises:
        RequestError: A name, a path or a value is wrong, nothing varies, or an extra is not installed.
        PluginError: A component or a file of `plugins` cannot be loaded.
        RunError: No run has finished.

    Example:
        ```python
        ablation = marsseg.ablate(
            arch="unet", vary={"loss": ["wssce", "dice"], "bottleneck": ["none", "transformer,aspp"]}, seeds=3
        )
        for effect in ablation.effects:
            print(effect.setting, effect.choice, effect.mean, effect.interval)
        ```
    """
    check_backend()
    from .files.atomic import refuse_existing
    from .sweeps.design import make_design
    from .sweeps.options import AblationOptions, SweepRequest, check_score
    from .sweeps.sweep import begin_sweep, open_sweep

    places, disabled = count_of(jobs, "jobs", at_least=1), texts_of(disable, "disable")
    session = open_session(disable=disabled, trust=flag_of(trust, "trust"))
    executor = executor_of(on, session, "on")
    folder = None if out is None else path_of(out, "out")
    score = None if by is None else check_score(text_of(by, "by"))
    if resume is not None:
        _refuse_others("An ablation", {**arguments, "base": base, "vary": vary, "subset": subset, "out": out})
        path = path_of(resume, "resume")
        begun = open_sweep(path, trials=None, disable=disabled, trust=trust, command="ablate")
        return _ablated(begun, executor, places, trust, score)
    first_seed = arguments.pop("seed", AS_PLANNED)
    design = make_design(
        {},
        _varied(vary),
        request_of(base, arguments, overrides, plugins),
        session,
        AblationOptions(
            score or HEADLINE,
            "test" if subset is None else text_of(subset, "subset"),
            flag_of(one_at_a_time, "one_at_a_time"),
        ),
        seeds=count_of(seeds, "seeds", at_least=1),
        first_seed=0 if first_seed is AS_PLANNED else count_of(first_seed, "seed", at_least=0),
    )
    request = SweepRequest.of_texts(design.options, design.request, disabled)
    for line in design.warnings:
        _logger.warning(line)
    if folder is not None:
        refuse_existing(folder, "out")
    executor.check()
    # The plugin files are those of this call: its workers may execute their copies.
    begun = begin_sweep(request, design.space, session, folder)
    return _ablated(begun, executor, places, trust or bool(plugins), None)


def _refuse_others(what: str, others: Mapping[str, Any]) -> None:
    """Raise RequestError if something is passed that a folder to resume has itself."""
    if used := [name for name, value in others.items() if value is not None and value is not AS_PLANNED]:
        raise RequestError(f"{what} that goes on has its own '{used[0]}'.", where=used[0])


def _varied(vary: Any) -> list[str]:
    from .sweeps.space import read_space, space_texts

    if vary is None or isinstance(vary, Mapping):
        return space_texts(vary or {}, "vary")
    return read_space(path_of(vary, "vary"))


def _ablated(sweep: Sweep, executor: Executor, jobs: int, trust: bool, by: str | None) -> AblationResult:
    from .sweeps.ablation import results_of, write_results
    from .sweeps.result import AblationResult

    summary = _executed(sweep, executor, jobs, trust)
    if summary.status == "interrupted":
        return AblationResult.of(sweep.folder.path, summary, ())
    results = results_of(sweep, by)
    write_results(sweep, results)
    return AblationResult.of(sweep.folder.path, summary, results)


def _swept(sweep: Sweep, executor: Executor, jobs: int, trust: bool) -> SweepResult:
    from .sweeps.page import write_page
    from .sweeps.result import SweepResult

    summary = _executed(sweep, executor, jobs, trust)
    if summary.status != "interrupted":
        write_page(sweep, summary)
    return SweepResult.of(sweep.folder.path, summary)


def _executed(sweep: Sweep, executor: Executor, jobs: int, trust: bool) -> Summary:
    """Execute the trials, and return their summary, after Ctrl-C too."""
    from .sweeps.coordinator import Coordinator

    try:
        return Coordinator(sweep, executor, jobs, lambda summary: None, trust=trust).run(alone=True)
    except KeyboardInterrupt:
        return sweep.summary("interrupted")


def compare(*runs: AnyPath, by: str = HEADLINE, subset: str = "test") -> Comparison:
    """Compare runs: group them by plan, rank the groups, and find the differences to the best group.

    Runs whose plans differ only in seed and fold form one group.

    Args:
        *runs: Runs, series, run folders, or folders that contain runs and series.
        by: The metric to rank by, such as "miou", "accuracy" or "iou_soil".
        subset: The subset whose scores are compared: "test" or "validation".

    Returns:
        The ranked groups, the settings in which their plans differ, and the paired differences to the best group.

    Raises:
        RequestError: There is no run to compare, or no such metric or subset.

    Example:
        ```python
        print(marsseg.compare("runs", by="accuracy"))
        ```
    """
    if not runs:
        raise RequestError(
            "There is nothing to compare.", where="compare", hint="Pass run folders, or folders of runs."
        )
    paths = [path_of(path, "runs") for path in runs]
    return compare_runs(paths, by=text_of(by, "by"), subset=text_of(subset, "subset"))


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
    join_processes()
    start_keras()
    from .training.loop import resume as resume_training

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
        return _with_page(resume_series(path, plans, moved=moved), next(iter(plans.values())))
    folder = RunFolder.open(path)
    if not moved:
        folder.check_unfinished()
    callback_observer = _callbacks(callbacks)
    resolved = _plan_of_run(folder, trust, data, arch, workers=workers, unlabelled=place)
    run = resume_training(folder, resolved, moved=moved, hooks=callback_observer.add_to(announce(resolved)))
    if processes().leads and (series := follow(folder.path)) is not None:
        _with_page(series, resolved)
    return run


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
    start_keras()
    from .training.extension import extend as extend_training

    folder = RunFolder.open(path_of(path, "path"))
    callback_observer = _callbacks(callbacks)
    place = value_of(unlabelled, "unlabelled")
    total = count_of(epochs, "epochs", at_least=1)
    resolved = _plan_of_run(folder, trust, data, arch, epochs=total, unlabelled=place)
    return extend_training(
        folder,
        resolved,
        out=None if out is None else path_of(out, "out"),
        moved=_is_place(data) or place is not None,
        hooks=callback_observer.add_to(announce(resolved)),
    )


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
    start_keras()
    from .training.ended import write_report

    folder = RunFolder.open(path_of(path, "path"))
    return write_report(folder, _plan_of_run(folder, trust, data, None), moved=_is_place(data))


def load(path: AnyPath, *, trust: bool = False) -> keras.Model:
    """Load the best network of a run.

    The file is read in Keras' safe mode. Only the plugins of the architecture and the bottlenecks must be installed.
    Logs a warning if an installed version differs from the plan's, if the run was trained on another backend, or if the
    network file has changed since the run wrote it.

    For large images, call `network.predict(images, batch_size=1)`, or `marsseg.predict`, which cuts them into tiles.
    `network(images)` keeps all feature maps until it returns, which takes several times the memory.

    Args:
        path: The run folder, a run, or the file of a pack with one run.
        trust: Execute the plugin files that are stored with the run.

    Returns:
        The network, which maps images (B, H, W, C) with values in [0, 1] to logits (B, H, W, num_classes).

    Raises:
        RequestError: The folder is no run folder, has no network, or needs `trust`.
        PluginError: A plugin of the network cannot be loaded.

    Example:
        ```python
        network = marsseg.load("runs/dense")
        ```
    """
    from .networks.load import load as load_run

    return load_run(path_of(path, "path"), open_session(trust=flag_of(trust, "trust")))


def predict(
    runs: AnyPath | Sequence[AnyPath],
    images: Iterable[np.ndarray],
    *,
    tta: bool | Literal["run"] = "run",
    with_ignored: bool = False,
    probabilities: bool = False,
    range: str | None = None,
    decoding: str = "run",
    engine: str = "keras",
    trust: bool = False,
) -> Iterator[np.ndarray]:
    """Predict the class of each pixel of images, with one run or the mean of several runs.

    Images of any size are accepted; large images are cut into overlapping tiles. Images are uint8, or have the number
    type that the run was trained on, and are then scaled as its training data were. For other types, pass `range`.

    Images are read, and errors in them raised, one at a time, as the iterator reaches them. After the last image, a
    warning is logged if values were outside the range, or used only a small part of it.

    Args:
        runs: A run folder, run or pack, or a list of them. The probabilities of several runs are averaged.
        images: Arrays (H, W) or (H, W, C).
        tta: Test-time augmentation: average over each image and its flipped copies. "run" does what the plan of the run
            says.
        with_ignored: Allow ignored classes, such as the background, as predictions.
        probabilities: Yield probabilities (H, W, K) float32 instead of labels, K the number of classes.
        range: The values of black and white: "0..1", "0..4095", or "bits" for the whole range of 16 bits. None uses the
            scaling of the run.
        decoding: "run" adds the offsets that runs with `decoding="offsets"` have chosen, for several runs their mean;
            "argmax" adds none. Probabilities are always without offsets.
        engine: What computes the predictions: "keras", or one of "onnxruntime", "openvino" and "litert", which need the
            extra `onnx`, `openvino` or `litert`. The form of the network that it needs is made once, compared with the
            network, and kept in the run folder.
        trust: Execute the plugin files that are stored with the runs.

    Returns:
        An iterator over the labels (H, W) uint8 of each image, in order.

    Raises:
        RequestError: An argument is wrong, or the runs do not fit together. For an image: its values are not finite,
            their range is not known, or its shape is not that of an image.
        PluginError: A plugin of a network cannot be loaded.
        RunError: The output of a network is not finite. The message has the number of the image, counted from 0.

    Example:
        ```python
        labels = list(marsseg.predict(["runs/one", "runs/two"], images, tta=True))
        ```
    """
    start_keras()
    from .evaluation.confusion import check_finite, decode
    from .export.exporters import find_engine
    from .inference.ensemble import load_networks, open_runs, scaling_of, with_channels
    from .inference.given_images import GivenImages, images_of
    from .networks.predictor import Predictor
    from .runs.decoding import decoding_of, uses_tta

    chosen_range = None if range is None else _range(range)
    flips, trust = _flips(tta), flag_of(trust, "trust")
    probabilities = flag_of(probabilities, "probabilities")
    paths = [runs] if isinstance(runs, str | os.PathLike) else runs
    if not isinstance(paths, Sequence) or not paths:
        raise RequestError("A run folder is needed, or a list of them.", where="runs", hint="Pass 'runs/…' or a run.")
    arrays = images_of(images)
    folders, classes = open_runs([path_of(path, "runs") for path in paths])
    scaled_images = GivenImages(chosen_range, scaling_of(folders))
    session = open_session(trust=flag_of(trust, "trust"))
    decoded = decoding_of(folders, text_of(decoding, "decoding"))
    labels_only = not probabilities and not decoded.offsets
    networks = load_networks(folders, session, find_engine(text_of(engine, "engine"), session.catalog))
    predictor = Predictor(networks, tta=uses_tta(folders, flips), labels_only=labels_only)
    outputs = predictor.probabilities(with_channels(image, predictor.channels) for image in scaled_images(arrays))
    ignore_classes = () if flag_of(with_ignored, "with_ignored") else classes.ignore_classes

    def predicted() -> Iterator[np.ndarray]:
        for number, output in enumerate(outputs):
            check_finite(output, f"image {number}")
            yield output if probabilities else decode(decoded.of_probabilities(output), ignore_classes)
        for line in scaled_images.doubts():
            _logger.warning(line)

    return predicted()


def _flips(tta: Any) -> bool | None:
    """Return whether test-time augmentation is requested; None: as the run's plan says."""
    return None if isinstance(tta, str) and tta == "run" else flag_of(tta, "tta")


def evaluate(
    run: AnyPath,
    data: AnyPath | Data | None = None,
    *,
    subset: str | None = None,
    metrics: str | None = None,
    tta: bool | Literal["run"] = "run",
    decoding: str = "run",
    engine: str = "keras",
    trust: bool = False,
) -> Confusion:
    """Score the best network of a run on one of its subsets, or on other data.

    Args:
        run: The run folder, a run, or the file of a pack with one run.
        data: Other data, as for `run`. Data that were passed to the run as Python objects must be passed again to score
            one of their subsets: `evaluate(run, data, subset="test")`. None reads the data that the plan names.
        subset: "train", "validation", "test" or "all". None is the test subset, or all items where `data` is passed.
        metrics: Further metrics to compute: "boundary_iou,boundary_f:tolerance=2". Read them with
            `.value("boundary_iou")`.
        tta: Test-time augmentation: average over each image and its flipped copies. "run" does what the plan of the run
            says.
        decoding: "run" adds the offsets that a run with `decoding="offsets"` has chosen; "argmax" adds none.
        engine: What computes the predictions, as for `predict`.
        trust: Execute the plugin files that are stored with the run.

    Returns:
        The confusion matrix, with all scores as its attributes.

    Raises:
        RequestError: An argument is wrong, the data have changed since the run, have other classes, or the run needs
            `trust`.
        PluginError: A component cannot be loaded, or fails.
        RunError: The output of the network is not finite.

    Example:
        ```python
        confusion = marsseg.evaluate("runs/dense", "tiles.npz", metrics="boundary_iou")
        print(confusion.miou, confusion.value("boundary_iou"))
        ```
    """
    start_keras()
    from .export.exporters import find_engine
    from .inference.scoring import score_runs

    folder = RunFolder.open(path_of(run, "run"))
    source = None if data is None else given_components(kinds.DATASET, data)
    subset = text_of(subset, "subset") if subset is not None else "all" if source else "test"
    further_metrics = None if metrics is None else text_of(metrics, "metrics")
    session = open_session(trust=flag_of(trust, "trust"))
    (score,) = score_runs(
        [folder],
        [source],
        subset,
        session,
        metrics=further_metrics,
        tta=_flips(tta),
        decoding=text_of(decoding, "decoding"),
        engine=find_engine(text_of(engine, "engine"), session.catalog),
    )
    return score.confusion
