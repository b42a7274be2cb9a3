"""What `marsseg sweep` and `marsseg ablate` have in common: execute the trials, and go on with a begun sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import RequestError
from ..networks.startup import check_backend
from .output import EXIT_INTERRUPTED, say

if TYPE_CHECKING:
    from ..components.interfaces import Executor
    from ..sweeps.summary import Summary
    from ..sweeps.sweep import Sweep


def open_begun(
    command: str,
    resume: Path | None,
    join: Path | None,
    others: Mapping[str, Any],
    disable: list[str],
    trust: bool,
    *,
    trials: int | None = None,
) -> Sweep:
    """Open the sweep of --resume or --join. Raises RequestError for options that the sweep has itself."""
    path = resume or join
    assert path is not None
    option = "--resume" if join is None else "--join"
    used = [name for name, value in others.items() if value not in (None, [])]
    if resume is not None and join is not None:
        used = ["join"]
    if used:
        own = "--trials" if command == "sweep" else "--by"
        raise RequestError(
            f"{option} uses the request of the sweep: --{used[0].replace('_', '-')} cannot be used with it.",
            where=f"{option} {path}",
            hint=f"Only {own}, --on, --jobs, --disable and --trust can.",
        )
    check_backend()
    from ..sweeps.sweep import open_sweep

    return open_sweep(path, trials=trials, disable=disable, trust=trust, command=command)


def execute_trials(sweep: Sweep, executor: Executor, jobs: int, trust: bool, *, alone: bool) -> Summary:
    """Execute the trials of a sweep, and show how they go on. Ctrl-C ends the command, and says how to resume."""
    from ..sweeps.coordinator import Coordinator
    from .sweep_progress import SweepProgress

    path, command = sweep.folder.path, sweep.request.options.command
    say(f"{'Sweep' if command == 'sweep' else 'Ablation'}: {path}")
    try:
        with SweepProgress(path, sweep.summary("running")) as progress:
            summary = Coordinator(sweep, executor, jobs, progress.show, trust=trust).run(alone=alone)
            progress.show(summary)
    except KeyboardInterrupt:
        say(f"Interrupted. To resume: marsseg {command} --resume {path}{' --trust' if trust else ''}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return summary
