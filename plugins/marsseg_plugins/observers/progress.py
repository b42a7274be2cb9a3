"""Show the progress of a run: a live bar on a terminal or in a notebook, one line per epoch elsewhere.

All but notebooks show it on standard error.

Nothing is shown if messages of level INFO are off, as with `marsseg run --quiet`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import NotebookOutput, get_logger, hookimpl, printable

from .score_text import number, scores

if TYPE_CHECKING:
    import keras
    from rich.console import Console

    from marsseg_core.plugin_api import Plan, Run


@hookimpl
def marsseg_plan_resolved(plan: Plan) -> None:
    """Print how the plan differs from its source."""
    for line in plan.differences:
        _print_line(f"Note: {line}")


@hookimpl
def marsseg_network_built(run: Run) -> None:
    """Print a summary of the network, the data and the run folder. In a notebook, it is above the bar."""
    if not NotebookOutput.is_possible():
        _print_line(_heading(run))
    if run.transfer is not None:
        _print_line(str(run.transfer))


@hookimpl
def marsseg_callbacks(run: Run) -> list[keras.callbacks.Callback]:
    """Return the progress bar, on a terminal and in a notebook; elsewhere, what explains a long first step."""
    if not _is_enabled():
        return []
    if NotebookOutput.is_possible():
        from .notebook_bar import NotebookBar

        return [NotebookBar(run, _heading(run))]
    if _on_terminal():
        from .bar import EpochBar

        return [EpochBar(run, _console())]
    from .first_step import FirstStep

    return [FirstStep(_print_line)]


@hookimpl
def marsseg_epoch_finished(run: Run, record: Mapping[str, float | None]) -> None:
    """Print a line about the epoch, unless there is a bar."""
    if not (NotebookOutput.is_possible() or _on_terminal()):
        epoch = f"epoch {record['epoch']:.0f}/{run.plan.training.epochs}"
        _print_line(f"{epoch}  loss {number(record['loss'])}  {scores(record, run.best_by)}  {record['seconds']:.1f} s")


def _heading(run: Run) -> str:
    sizes = " / ".join(str(len(run.split[subset])) for subset in ("train", "validation", "test"))
    return (
        f"{run.plan.name}: {run.network.count_params():,} parameters; {run.data.source}: {sizes} images "
        f"to train / validate / test; {run.path}"
    )


def _is_enabled() -> bool:
    return get_logger(__name__).isEnabledFor(logging.INFO)


def _on_terminal() -> bool:
    """Return whether standard error is a terminal, whatever FORCE_COLOR says."""
    return sys.stderr is not None and sys.stderr.isatty()


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _print_line(line: str) -> None:
    if _is_enabled():
        _console().print(printable(line), markup=False, highlight=False, soft_wrap=True)
