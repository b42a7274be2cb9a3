"""Write the figures and the report page of a run when it has finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marsseg_core.plugin_api import hookimpl

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run


@hookimpl
def marsseg_run_finished(run: Run) -> None:
    """Write the report, if at least one epoch has finished."""
    from .write import write_report

    if run.history:
        write_report(run)
