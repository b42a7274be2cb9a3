"""Figures and a page at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marsseg_core.plugin_api import hookimpl

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run


@hookimpl
def marsseg_run_finished(run: Run) -> None:
    from .write import write_report

    if run.history:
        write_report(run)
