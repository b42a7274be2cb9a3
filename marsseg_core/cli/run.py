"""`marsseg run`: train a network and score it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..conventions import HEADLINE
from ..networks.processes import processes
from ..networks.startup import check_backend
from ..registry.kinds import DATASET, OBSERVER
from .common_options import CONTINUING, OTHER, SEVERAL, TRAINING, Devices, JobsOfRuns, OnOfRuns
from .configured import print_origins
from .kind_options import takes_kinds
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_table, print_text, say, warn
from .plan_options import PlanOptions, takes_plan
from .resume import extend_run, resume_run
from .series import member_workers, print_dry, refuse_alone, run_all
from .standard_output import output_failure

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..runs.run import Run


@takes_kinds
@takes_plan
def run(
    compositions: dict[str, str],
    context: typer.Context,
    given: PlanOptions,
    devices: Devices = None,
    seed: Annotated[
        str | None,
        typer.Option(
            help="Seed of initial weights, dropout, image order and augmentations.",
            metavar="N",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Run with N seeds, starting at --seed, and print mean ± std.", metavar="N", rich_help_panel=SEVERAL
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Run on K folds: each image is tested once.", metavar="K", rich_help_panel=SEVERAL),
    ] = None,
    on: OnOfRuns = None,
    jobs: JobsOfRuns = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Resume a run or a series that was killed or interrupted. With --data or --unlabelled, its data are "
            "read from a new place; --workers changes no result.",
            metavar="RUN",
            rich_help_panel=CONTINUING,
        ),
    ] = None,
    extend: Annotated[
        str | None,
        typer.Option(
            help="Train a finished run for more epochs, --epochs in all, in a new run folder.",
            metavar="RUN",
            rich_help_panel=CONTINUING,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder. Default: a new one in runs/.", metavar="PATH", rich_help_panel=OTHER),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the plan with the origin of each value, without running it.",
            rich_help_panel=OTHER,
        ),
    ] = False,
) -> None:
    """Train a network, store the best one, and score it on the test subset.

    `marsseg list` prints the names of components. A comma separates several components, a colon starts each parameter:
    `marsseg run --arch dense:width=0.5 --bottleneck transformer,aspp --loss wssce`.
    `marsseg show NAME` lists the parameters of a component.
    """
    from ..data.split_check import check_split
    from ..files.atomic import refuse_existing
    from ..planning.resolver import resolve

    given = given.with_training(devices=devices, seed=seed)
    session = given.session()
    spread = member_workers(on, jobs, session, given.disable)
    if resume is not None or extend is not None:
        used: dict[str, Any] = {**compositions, **given.described(), "seeds": seeds, "folds": folds, "out": out}
        used |= {"dry_run": dry_run or None}
        unlabelled, workers = given.training.get("unlabelled"), given.training.get("workers")
        data = compositions.get(DATASET.option)
        options = _without_none(used)
        if resume is not None:
            options |= _without_none({"extend": extend})
            others = [name for name in options if name not in ("data", "unlabelled", "workers")]
            result = resume_run(resume, session, data, unlabelled, workers, others, spread, context)
        else:
            refuse_alone(spread, context)
            others = [name for name in options if name not in ("data", "unlabelled", "epochs", "out")]
            result = extend_run(str(extend), session, given.training.get("epochs"), data, unlabelled, out, others)
        if result is not None:
            _finish(result)
        return
    if not dry_run:
        check_backend()
    resolved = resolve(given.request(compositions), session)
    check_split(resolved.split)
    _warn_of_unused(resolved)
    series = None
    if seeds is not None or folds is not None:
        from ..experiments.series import plan_series

        series = plan_series(resolved, seeds, folds)
    else:
        refuse_alone(spread, context)
    if dry_run:
        rows = resolved.rows()
        defaults = {position for position, (*_, origin) in enumerate(rows) if origin == "default"}
        print_table(("setting", "value", "origin"), rows, faint=defaults)
        for line in (*resolved.differences, *resolved.remarks):
            warn(line)
        print_origins(context, planned=False)
        if series is not None:
            print_dry(series[1])
        return
    if out is not None:
        refuse_existing(out)  # before the data are read and the network is built
    if series is not None:
        run_all(*series, out, spread)
        return
    from ..hooks import announce
    from ..training.distribution import check_devices, join_processes

    check_devices(resolved)
    hooks = announce(resolved)
    join_processes()
    load_keras()
    from ..training.loop import execute

    _finish(execute(resolved, out=out, hooks=hooks))


def _finish(result: Run) -> None:
    if processes().leads:
        _print_result(result)
    if failure := output_failure():
        result.folder.log(f"warning: the scores cannot be printed: {failure.strerror}")
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


def _warn_of_unused(plan: Plan) -> None:
    """Warn if the plan uses no component of a plugin file: the user probably forgot to name one."""
    values = [value for _, value, _ in plan.rows()]
    for plugin in plan.plugins:
        components = [entry for entry in plugin.entries if entry.kind != OBSERVER]
        if components and not any(entry.name in value for entry in components for value in values):
            entry = components[0]
            warn(f"No component of {plugin.name} is used. To use one: --{entry.kind.option} {entry.name}.")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _print_result(result: Run) -> None:
    from ..runs.metric_values import metric_values, score_text

    subsets = result.metrics["subsets"]
    if not subsets:
        say(f"Interrupted before the first epoch ended: {result.path} has no network.")
        _say_how_to_resume(result)
        return
    values = {subset: metric_values(scores) for subset, scores in subsets.items()}
    table = result.plan.metrics.for_data(result.data.ignore_classes)
    rows = [
        (table.spaced(name), *(score_text(of_subset.get(name), "undefined") for of_subset in values.values()))
        for name in dict.fromkeys(chain(*values.values()))
        if table.shows(name)
    ]
    print_table(("score", *subsets), rows, right=tuple(subsets))
    print_text()
    best = f"epoch {result.best_epoch} of {len(result.history)}"
    by = "" if result.best_by == f"val_{HEADLINE}" or "kept" in result.metrics else f", the best by {result.best_by}"
    print_text(f"{result.path}: network of {best}{by}")
    if result.folder.report.is_file():
        print_text(f"Curves, scores and images, as a page: {result.folder.report}")
    if plain := result.metrics.get("argmax"):
        texts = {subset: score_text(scores[HEADLINE], "undefined") for subset, scores in plain.items()}
        without = ", ".join(f"{subset} {HEADLINE} {text}" for subset, text in texts.items())
        print_text(f"Decoding: {result.decoding.describe(result.data.class_names)} (with argmax: {without})")
    if result.note:
        print_text(result.note)
    if result.interrupted:
        say("Interrupted: the network so far is stored; the test subset was not scored.")
        _say_how_to_resume(result)


def _say_how_to_resume(result: Run) -> None:
    trust = " --trust" if result.plan.plugins else ""
    say(f"To resume: marsseg run --resume {result.path}{trust}")
