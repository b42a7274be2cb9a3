"""Progress of a run on standard error: a live bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import hookimpl

from .words import number, scores

if TYPE_CHECKING:
    import keras

    from marsseg_core.plugin_api import Plan, Run


@hookimpl
def marsseg_plan_resolved(plan: Plan) -> None:
    from rich.console import Console

    console = Console(stderr=True)
    for line in plan.differences:
        console.print(f"Note: {line}", markup=False, highlight=False, soft_wrap=True)


@hookimpl
def marsseg_network_built(run: Run) -> None:
    from rich.console import Console

    sizes = " / ".join(str(len(run.split[part])) for part in ("train", "validation", "test"))
    console = Console(stderr=True)
    console.print(
        f"{run.plan.name}: {run.network.count_params():,} parameters; {run.data.source}: {sizes} images "
        f"to train / validate / test; {run.path}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if run.transfer is not None:
        console.print(str(run.transfer), markup=False, highlight=False, soft_wrap=True)


@hookimpl
def marsseg_callbacks(run: Run) -> list[keras.callbacks.Callback]:
    from rich.console import Console

    from .bar import ProgressBar

    console = Console(stderr=True)
    return [ProgressBar(run, console)] if console.is_terminal else []


@hookimpl
def marsseg_epoch_finished(run: Run, record: Mapping[str, float | None]) -> None:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        epoch = f"epoch {record['epoch']:.0f}/{run.plan.training.epochs}"
        line = f"{epoch}  loss {number(record['loss'])}  {scores(record, run.best_by)}  {record['seconds']:.1f} s"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
