"""Train many networks whose plans differ: sweeps and ablations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from ..components.interfaces import Executor
from ..conventions import HEADLINE
from ..errors import RequestError
from ..messages import get_logger
from ..networks.startup import check_backend
from ..planning.arguments import count_of, flag_of, path_of, request_of, text_of, texts_of
from ..planning.executors import executor_of
from ..planning.run_arguments import AS_PLANNED, RunArguments, document_arguments
from ..registry.session import open_session
from .callers import told_in_python

if TYPE_CHECKING:
    from ..planning.run_arguments import AnyPath
    from ..sweeps.result import AblationResult, SweepResult
    from ..sweeps.summary import Summary
    from ..sweeps.sweep import Sweep

_logger = get_logger(__name__)


@told_in_python(report="best")
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
    from ..files.atomic import refuse_existing
    from ..sweeps.draw import warnings_of
    from ..sweeps.options import SweepRequest, make_options
    from ..sweeps.space import make_space, refuse_constant
    from ..sweeps.sweep import begin_sweep, open_sweep

    places, disabled = count_of(jobs, "jobs", at_least=1), texts_of(disable, "disable")
    number = None if trials is None else count_of(trials, "trials", at_least=1)
    session = open_session(disable=disabled, trust=flag_of(trust, "trust"))
    executor = executor_of(on, session, "on")
    folder = None if out is None else path_of(out, "out")
    if resume is not None:
        own: dict[str, Any] = {"base": base, "vary": vary, "sampler": sampler, "pruner": pruner, "best": best}
        own |= {"sampler_seed": sampler_seed, "wall": wall, "cpu": cpu, "out": out}
        _refuse_others("A sweep", sweep, {**own, "overrides": overrides, "plugins": plugins}, arguments)
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
    refuse_constant(space)
    for line in warnings_of(options, space):
        _logger.warning(line)
    if folder is not None:
        refuse_existing(folder, "out")
    executor.check()
    # The plugin files are those of this call: its workers may execute their copies.
    return _swept(begin_sweep(request, space, session, folder), executor, places, trust or bool(plugins))


@told_in_python()
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
    from ..files.atomic import refuse_existing
    from ..sweeps.design import make_design
    from ..sweeps.options import AblationOptions, SweepRequest, check_score
    from ..sweeps.sweep import begin_sweep, open_sweep

    places, disabled = count_of(jobs, "jobs", at_least=1), texts_of(disable, "disable")
    session = open_session(disable=disabled, trust=flag_of(trust, "trust"))
    executor = executor_of(on, session, "on")
    folder = None if out is None else path_of(out, "out")
    score = None if by is None else check_score(text_of(by, "by"))
    if resume is not None:
        own: dict[str, Any] = {"base": base, "vary": vary, "one_at_a_time": one_at_a_time, "seeds": seeds}
        own |= {"subset": subset, "out": out, "overrides": overrides, "plugins": plugins}
        _refuse_others("An ablation", ablate, own, arguments)
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


def _refuse_others(
    what: str, function: Callable[..., Any], own: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    """Raise RequestError if something is passed that a folder to resume has itself.

    `own` has the arguments of the function itself; `arguments` are those that describe a plan.
    """
    defaults = inspect.signature(function).parameters
    used = [name for name, value in own.items() if value not in (defaults[name].default, [])]
    used += [name for name, value in arguments.items() if value is not AS_PLANNED]
    if used:
        raise RequestError(f"{what} that goes on has its own '{used[0]}'.", where=used[0])


def _varied(vary: Any) -> list[str]:
    from ..sweeps.space import read_space, space_texts

    if vary is None or isinstance(vary, Mapping):
        return space_texts(vary or {}, "vary")
    return read_space(path_of(vary, "vary"))


def _ablated(sweep: Sweep, executor: Executor, jobs: int, trust: bool, by: str | None) -> AblationResult:
    from ..sweeps.ablation import results_of, write_results
    from ..sweeps.result import AblationResult

    summary = _executed(sweep, executor, jobs, trust)
    if summary.status == "interrupted":
        return AblationResult.of(sweep.folder.path, summary, ())
    results = results_of(sweep, by)
    write_results(sweep, results)
    return AblationResult.of(sweep.folder.path, summary, results)


def _swept(sweep: Sweep, executor: Executor, jobs: int, trust: bool) -> SweepResult:
    from ..sweeps.page import write_page
    from ..sweeps.result import SweepResult

    summary = _executed(sweep, executor, jobs, trust)
    if summary.status != "interrupted":
        write_page(sweep, summary)
    return SweepResult.of(sweep.folder.path, summary)


def _executed(sweep: Sweep, executor: Executor, jobs: int, trust: bool) -> Summary:
    """Execute the trials, and return their summary, after Ctrl-C too."""
    from ..sweeps.coordinator import Coordinator
    from ..sweeps.notebook import SweepOutput

    output, total = SweepOutput(), sweep.request.options.trials
    coordinator = Coordinator(sweep, executor, jobs, lambda summary: output.show(summary, total), trust=trust)
    try:
        return coordinator.run(alone=True)
    except KeyboardInterrupt:
        return sweep.summary("interrupted")
    finally:
        output.clear()
