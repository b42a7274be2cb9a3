"""`marsseg sweep`: train many networks whose plans differ in a few settings, and find the best one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..networks.startup import check_backend
from ..planning.executors import executor_of
from ..registry.kinds import EXECUTOR
from .completion import composition, fixed, settings
from .configured import print_origins, typed
from .kind_options import takes_kinds
from .output import print_json, print_table, print_text, say, warn
from .plan_options import PlanOptions, takes_plan
from .trials import execute_trials, open_begun

if TYPE_CHECKING:
    from ..sweeps.summary import Summary
    from ..sweeps.sweep import Sweep


@takes_kinds
@takes_plan
def sweep(
    compositions: dict[str, str],
    context: typer.Context,
    given: PlanOptions,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Vary a setting, named as for --set. Components and lists: each --vary is one choice. Numbers and "
            "words: A,B are choices, LOW..HIGH is a range, optionally followed by :log or :linear. Can be repeated.",
            metavar="PATH=VALUES",
            autocompletion=settings,
        ),
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="Vary the settings that a file lists.", metavar="FILE.toml")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Execute N trials. Default: 20, or the whole grid.", metavar="N")
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="How trials are chosen.", metavar="grid|random|tpe", autocompletion=fixed("grid", "random", "tpe")
        ),
    ] = "tpe",
    pruner: Annotated[
        str,
        typer.Option(
            help="Stop trials early if their metric falls behind.",
            metavar="none|median|hyperband",
            autocompletion=fixed("none", "median", "hyperband"),
        ),
    ] = "none",
    seed: Annotated[int, typer.Option(help="Seed of the sampler.", metavar="N")] = 0,
    wall: Annotated[
        str | None, typer.Option(help="Begin no trial after this time: 90s, 30m, 1.5h or 2d.", metavar="TIME")
    ] = None,
    cpu: Annotated[
        str | None,
        typer.Option(
            help="Begin no trial once all trials together have used this much processor time.", metavar="TIME"
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(help="Where trials are executed.", metavar=EXECUTOR.metavar, autocompletion=composition(EXECUTOR)),
    ] = "local",
    jobs: Annotated[int, typer.Option(help="Execute N trials at the same time.", metavar="N", min=1)] = 1,
    report: Annotated[
        int, typer.Option(help="Score the test subset of the N best trials, at the end.", metavar="N")
    ] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Resume a sweep that was killed or interrupted, or continue it with more --trials.", metavar="SWEEP"
        ),
    ] = None,
    join: Annotated[
        Path | None,
        typer.Option(help="Help another process with its sweep, perhaps from another machine.", metavar="SWEEP"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the sweep. Default: a new one in runs/.", metavar="PATH")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the trials as JSON.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the space and three of its plans, without running them.")
    ] = False,
) -> None:
    """Train networks whose plans differ in the settings that vary, and find the best on the validation subset.

    `marsseg sweep --arch unet --vary loss=wssce --vary loss=wssce,dice --vary training.learning_rate=1e-4..1e-2`.
    Each trial is a run folder inside the sweep's folder. The test subset is scored only for the best trials.
    """
    session = given.session()
    executor = executor_of(on, session)
    if resume is not None or join is not None:
        others: dict[str, Any] = {**compositions, **given.described(), "vary": vary, "space": space}
        others |= {"wall": wall, "cpu": cpu, "out": out, "dry_run": dry_run or None}
        others |= {name: True for name in ("sampler", "pruner", "seed", "report") if typed(context, name)}
        begun = open_begun("sweep", resume, join, others, given.disable or [], given.trust, trials=trials)
        _finish(begun, execute_trials(begun, executor, jobs, given.trust, alone=join is None), json)
        return
    from ..sweeps.draw import check_sampler, warnings_of
    from ..sweeps.options import SweepRequest, make_options
    from ..sweeps.space import make_space, read_space, refuse_constant

    request = given.request(compositions)
    options = make_options(
        (*(read_space(space) if space is not None else []), *(vary or [])),
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        trials=trials,
        wall=wall,
        cpu=cpu,
        report=report,
    )
    searched = make_space(options.varied, request, session)
    refuse_constant(searched)
    check_sampler(sampler, searched)
    for line in warnings_of(options, searched):
        warn(line)
    if dry_run:
        from .planned_sweep import print_planned

        print_planned(searched, options, request, session, on, jobs, json=json)
        if not json:
            print_origins(context, planned=True)
        return
    check_backend()
    from ..files.atomic import refuse_existing
    from ..sweeps.sweep import begin_sweep

    if out is not None:
        refuse_existing(out)
    stored = SweepRequest.of_texts(options, request, given.disable or ())
    executor.check()
    begun = begin_sweep(stored, searched, session, out)
    # The plugin files are those that this command was called with: its workers may execute their copies.
    _finish(begun, execute_trials(begun, executor, jobs, given.trust or bool(given.plugin), alone=True), json)


def _finish(sweep: Sweep, summary: Summary, json: bool) -> None:
    """Write the page, and print the best trials."""
    if summary.status == "finished":
        from ..sweeps.page import write_page

        write_page(sweep, summary)
    if json:
        print_json(sweep=str(sweep.folder.path), **{k: v for k, v in summary.to_json().items() if k != "schema"})
    else:
        _print_summary(sweep, summary)


def _print_summary(sweep: Sweep, summary: Summary) -> None:
    from ..runs.metric_values import score_text
    from ..sweeps.summary import transductive_trials

    names = dict.fromkeys(name for trial in summary.trials for name in trial.settings)
    best = summary.ranked[: max(10, sweep.request.options.report)]
    rows = [
        (
            trial.name,
            score_text(trial.value, ""),
            score_text(trial.test.get(summary.objective), ""),
            *(trial.shown_settings.get(name, "") for name in names),
        )
        for trial in best
    ]
    headers = ("trial", f"validation {summary.objective}", f"test {summary.objective}", *names)
    print_table(headers, rows, right=headers[1:3])
    print_text()
    print_text(f"{sweep.folder.path}: {summary.text}")
    if note := transductive_trials(best):
        print_text(note)
    if summary.ranked:
        print_text(f"The best plan, to run again: marsseg run --plan {sweep.folder.best}")
    if summary.status == "running":
        say("Other processes are still working on the sweep.")
