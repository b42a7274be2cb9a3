"""`marsseg run`: train and score."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..conventions import HEADLINE
from ..networks.startup import check_backend
from ..registry.kinds import METRIC, OBSERVER
from ..registry.session import Session, open_session
from .common_options import Disable, Plugins, Trust
from .completion import composition, fixed, monitored, recipes, settings
from .kind_options import takes_kinds
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_table, print_text, say, warn
from .series import print_dry, run_all

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..runs.run import Run


@takes_kinds
def run(
    compositions: dict[str, str],
    plan: Annotated[
        str | None,
        typer.Option(
            help="Start from a recipe, a plan file or a run.", metavar="RECIPE|FILE|RUN", autocompletion=recipes
        ),
    ] = None,
    plugin: Plugins = None,
    trust: Trust = False,
    disable: Disable = None,
    set: Annotated[
        list[str] | None,
        typer.Option(help="Set one value of the plan.", metavar="KIND.NAME.KEY=VALUE", autocompletion=settings),
    ] = None,
    epochs: Annotated[str | None, typer.Option(help="Passes over the training subset.", metavar="N")] = None,
    batch: Annotated[str | None, typer.Option(help="Images per step.", metavar="N")] = None,
    learning_rate: Annotated[str | None, typer.Option(help="At the start.", metavar="RATE")] = None,
    patience: Annotated[str | None, typer.Option(help="Epochs without progress to stop after.", metavar="N")] = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            help="The metric that the best network is kept by and early stopping watches.",
            metavar="NAME[:KEY=VALUE]…",
            autocompletion=monitored,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Metrics to compute and show besides.",
            metavar="NAME[:KEY=VALUE]…",
            autocompletion=composition(METRIC),
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32, mixed_bfloat16, mixed_float16.",
            autocompletion=fixed("float32", "mixed_bfloat16", "mixed_float16"),
        ),
    ] = None,
    workers: Annotated[str | None, typer.Option(help="Threads that prepare batches.", metavar="N")] = None,
    seed: Annotated[str | None, typer.Option(help="Draws weights, dropout, order, augmentations.", metavar="N")] = None,
    init: Annotated[
        str | None, typer.Option(help="Start from another run's weights, where they fit.", metavar="RUN")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Run it with N seeds, from --seed on, and print mean ± std.", metavar="N")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Run it on K folds: each image is tested once.", metavar="K")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a run that was killed or interrupted.", metavar="RUN")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; a new one in runs/ otherwise.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, with the origin of each value, and stop.")
    ] = False,
) -> None:
    """Train a network, keep the best, and score it on the test subset.

    Components are named as `marsseg list` names them. A comma separates several, a colon starts each parameter:
    `marsseg run --arch dense:width=0.5 --bottleneck transformer,aspp --loss wssce`.
    `marsseg show NAME` lists the parameters of a component.
    """
    from ..files.atomic import refuse_existing
    from ..planning.resolver import Request, resolve

    session = open_session(disable=disable, trust=trust)
    training = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "patience": patience,
        "monitor": monitor,
        "metrics": metrics,
        "precision": precision,
        "workers": workers,
        "seed": seed,
        "init": init,
    }
    if resume is not None:
        others: dict[str, Any] = {**compositions, **training} | {
            "plan": plan,
            "set": set or None,
            "plugin": plugin or None,
        }
        others |= {"seeds": seeds, "folds": folds, "out": out}
        _resume(resume, session, [*_given(others), *(["dry_run"] if dry_run else [])])
        return
    if not dry_run:
        check_backend()
    request = Request(plan, compositions, {"training": _given(training)}, set or [], plugin or [])
    resolved = resolve(request, session)
    _tell_unused(resolved)
    series = None
    if seeds is not None or folds is not None:
        from ..experiments.series import plan_series

        series = plan_series(resolved, seeds, folds)
    if dry_run:
        print_table(("setting", "value", "origin"), resolved.rows())
        for line in (*resolved.differences, *resolved.remarks):
            warn(line)
        if series is not None:
            print_dry(series[1])
        return
    if out is not None:
        refuse_existing(out)  # now, not when the data is read and the network built
    if series is not None:
        run_all(*series, out)
        return
    from ..hooks import announce

    hooks = announce(resolved)
    load_keras()
    from .. import api

    _finish(api.run(resolved, out=out, hooks=hooks))


def _resume(path: str, session: Session, others: list[str]) -> None:
    from ..errors import RequestError
    from ..files.run_folder import RunFolder
    from ..hooks import announce
    from ..planning.resolver import Request, resolve

    if others:
        raise RequestError(
            f"--resume goes on with the run's own plan: --{others[0].replace('_', '-')} does not go with it.",
            where=f"--resume {path}",
            hint="It has a copy of its plugins, which --trust executes."
            if others[0] == "plugin"
            else "A new run that starts from its weights is --init.",
        )
    check_backend()
    folder = RunFolder.open(path)
    folder.check_unfinished()
    plan = resolve(Request(base=path), session)
    hooks = announce(plan)
    load_keras()
    from ..training.loop import resume

    _finish(resume(folder, plan, hooks=hooks))


def _finish(result: Run) -> None:
    _print_result(result)
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


def _tell_unused(plan: Plan) -> None:
    """A file of components from which none is chosen: most likely one was to be named too."""
    values = [value for _, value, _ in plan.rows()]
    for plugin in plan.plugins:
        components = [entry for entry in plugin.entries if entry.kind != OBSERVER]
        if components and not any(entry.name in value for entry in components for value in values):
            entry = components[0]
            warn(f"Nothing of {plugin.name} is chosen: --{entry.kind.option} {entry.name} would.")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _print_result(result: Run) -> None:
    from ..runs.metric_values import metric_values

    subsets = result.metrics["subsets"]
    if not subsets:
        say(f"Interrupted before the first epoch ended: there is no network in {result.path}.")
        _say_how_to_go_on(result)
        return
    found = {subset: metric_values(scores) for subset, scores in subsets.items()}
    table = result.plan.metrics
    rows = [
        (table.spaced(name), *(_score(scores.get(name)) for scores in found.values()))
        for name in dict.fromkeys(chain(*found.values()))
        if table.shows(name)
    ]
    print_table(("score", *subsets), rows, right=tuple(subsets))
    print_text()
    best = f"epoch {result.best_epoch} of {len(result.history)}"
    by = "" if result.best_by == f"val_{HEADLINE}" else f", the best by {result.best_by}"
    print_text(f"{result.path}: the network of {best}{by}")
    if result.interrupted:
        say("Interrupted: the best network so far is kept; the test subset was not scored.")
        _say_how_to_go_on(result)


def _say_how_to_go_on(result: Run) -> None:
    trust = " --trust" if result.plan.plugins else ""
    say(f"Go on with: marsseg run --resume {result.path}{trust}")


def _score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
