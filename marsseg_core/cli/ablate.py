"""`marsseg ablate`: train the combinations of some choices with several seeds, and show the effect of each choice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..conventions import HEADLINE
from ..errors import counted
from ..networks.startup import check_backend
from ..planning.executors import executor_of
from ..registry.kinds import EXECUTOR
from .completion import composition, fixed, metrics as metric_names, settings
from .configured import print_origins
from .kind_options import takes_choices
from .output import print_json, print_table, print_text, say, warn
from .plan_options import PlanOptions, takes_plan
from .trials import execute_trials, open_begun

if TYPE_CHECKING:
    from ..experiments.ablation import Ablation
    from ..experiments.text_table import TextTable
    from ..sweeps.summary import Summary
    from ..sweeps.sweep import Sweep

# The default of --seeds.
_SEEDS = 3

# So many rows of a table are printed at the end. The page has all.
_ROWS = 20


@takes_choices
@takes_plan
def ablate(
    compositions: dict[str, list[str]],
    context: typer.Context,
    given: PlanOptions,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Vary a setting, named as for --set. Lists: each --vary is one choice. Numbers and words: A,B are "
            "choices. Can be repeated.",
            metavar="PATH=VALUES",
            autocompletion=settings,
        ),
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="Vary one setting at a time, instead of the full grid.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(help="Train each combination with N seeds, starting at --seed. Default: 3.", metavar="N"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The first seed of initial weights, dropout, image order and augmentations.", metavar="N"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help=f"The score whose effects are shown. Default: {HEADLINE}.",
            metavar="METRIC",
            autocompletion=metric_names,
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            help="The subset that is scored. Default: test. With validation, no run scores its test subset.",
            metavar="test|validation",
            autocompletion=fixed("test", "validation"),
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(help="Where runs are executed.", metavar=EXECUTOR.metavar, autocompletion=composition(EXECUTOR)),
    ] = "local",
    jobs: Annotated[int, typer.Option(help="Execute N runs at the same time.", metavar="N", min=1)] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Resume an ablation that was killed or interrupted. With --by: show another score.",
            metavar="ABLATION",
        ),
    ] = None,
    join: Annotated[
        Path | None,
        typer.Option(help="Help another process with its ablation, perhaps from another machine.", metavar="ABLATION"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the ablation. Default: a new one in runs/.", metavar="PATH")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plans and their number, without running them.")
    ] = False,
) -> None:
    """Train all combinations of some choices with several seeds, and show the effect of each choice on the score.

    An option that is repeated has several choices; the first is the baseline:
    `marsseg ablate --arch dense --arch unet --bottleneck none --bottleneck transformer,aspp --loss wssce`.
    Each run has a run folder inside the ablation's folder.
    """
    session = given.session()
    executor = executor_of(on, session)
    from ..sweeps.options import AblationOptions, SweepRequest, check_score

    if resume is not None or join is not None:
        by = None if by is None else check_score(by)
        others: dict[str, Any] = {**compositions, **given.described(), "vary": vary, "seeds": seeds, "seed": seed}
        others |= {"one_at_a_time": one_at_a_time or None, "subset": subset, "out": out, "dry_run": dry_run or None}
        begun = open_begun("ablate", resume, join, others, given.disable or [], given.trust)
        _finish(begun, execute_trials(begun, executor, jobs, given.trust, alone=join is None), by, json)
        return
    from ..sweeps.design import make_design

    design = make_design(
        compositions,
        vary or [],
        given.request({}),
        session,
        AblationOptions(by or HEADLINE, subset or "test", one_at_a_time),
        seeds=_SEEDS if seeds is None else seeds,
        first_seed=seed or 0,
    )
    for line in design.warnings:
        warn(line)
    if dry_run:
        from .planned_ablation import print_planned

        print_planned(design, on, jobs, json=json)
        if not json:
            print_origins(context, planned=True)
        return
    check_backend()
    from ..files.atomic import refuse_existing
    from ..sweeps.sweep import begin_sweep

    if out is not None:
        refuse_existing(out)
    stored = SweepRequest(design.options, design.request, Path.cwd(), tuple(given.disable or ()))
    executor.check()
    begun = begin_sweep(stored, design.space, session, out)
    # The plugin files are those that this command was called with: its workers may execute their copies.
    _finish(begun, execute_trials(begun, executor, jobs, given.trust or bool(given.plugin), alone=True), None, json)


def _finish(sweep: Sweep, summary: Summary, by: str | None, json: bool) -> None:
    """Write the results, and print them."""
    if summary.status == "running":
        say("Other processes are still working on the ablation: the last one writes the results.")
        return
    from ..sweeps.ablation import results_of, write_results

    results = results_of(sweep, by)
    write_results(sweep, results)
    if json:
        print_json(ablation=str(sweep.folder.path), **results[0].to_json())
    else:
        _print_results(sweep, summary, results[0])
    if missing := results[0].missing:
        count = counted(len(missing), "run has", "runs have")
        warn(f"{count} no score. The first, {missing[0][0].name}: {missing[0][1]}")


def _print_results(sweep: Sweep, summary: Summary, ablation: Ablation) -> None:
    from ..experiments.ablation_tables import combinations_table, effects_table

    _print(effects_table(ablation), names=2)
    if not sweep.request.options.one_at_a_time:  # there, each effect is that of one combination
        print_text()
        _print(combinations_table(ablation))
    print_text()
    print_text(f"{sweep.folder.path}: {summary.text}")
    if ablation.note:
        print_text(ablation.note)
    print_text(f"All results, as a page and as tables: {sweep.folder.results('.*')}")


def _print(table: TextTable, names: int = 1) -> None:
    print_table(table.headers, table.rows[:_ROWS], right=table.right, names=names)
    if len(table.rows) > _ROWS:
        print_text(f"and {len(table.rows) - _ROWS:,} more")
