"""Write the figures and the report page of a run when it has finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marsseg_core.plugin_api import hookimpl, waiting

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run


@hookimpl
def marsseg_run_finished(run: Run) -> None:
    """Write the report, if at least one epoch has finished."""
    if not run.history:
        return
    with waiting("Writing the report"):
        from .write import write_report

        write_report(run)
