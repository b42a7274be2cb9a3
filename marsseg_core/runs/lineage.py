"""Find the runs that a run has learned from, directly or through others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from ..components.finished_runs import UsesRuns
from ..errors import MarssegError
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.build import encoder_options
from ..planning.plan import Plan
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from ..registry.kinds import Kind
from ..registry.session import Session

_logger = get_logger(__name__)

# The kinds whose components may name finished runs.
_LEARNING: Final[Sequence[Kind]] = (kinds.ARCHITECTURE, kinds.ENCODER, kinds.LOSS, kinds.METHOD)


def initial_runs(plan: Plan) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the recorded hash of each run whose weights the network of a plan begins with."""
    options = encoder_options(plan)
    if options and options.weights and os.path.isdir(options.weights):
        yield options.weights, options.weights_hash
    if plan.training.init:
        yield plan.training.init, plan.training.init_hash


def runs_behind(run: RunFolder, session: Session) -> Iterator[RunFolder]:
    """Yield the runs that a run has learned from, those that these have learned from, and so on, each once.

    Logs a warning for each run that can no longer be found or read: what it knew is unknown.
    """
    seen = {run.path.resolve()}
    waiting = [run]
    while waiting:
        learner = waiting.pop()
        try:
            plan = resolve(Request(base=str(learner.path)), session, only=_LEARNING)
        except MarssegError as error:
            _logger.warning(f"What {learner.title} has learned from is not known: {error.what}")
            continue
        for path, network_hash in _teachers(plan):
            try:
                teacher = RunFolder.open(path)
                found = network_hash in (None, teacher.network_hash())
            except MarssegError:
                found = False
            if not found:
                _logger.warning(
                    f"{learner.title} has learned from the run {path}, which is not there any more: if that one was "
                    "trained on images that are scored, the scores are too high."
                )
            elif teacher.path.resolve() not in seen:
                seen.add(teacher.path.resolve())
                waiting.append(teacher)
                yield teacher


def _teachers(plan: Plan) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the recorded hash of each run that a run of the plan has learned from."""
    yield from initial_runs(plan)
    for kind in _LEARNING:
        for resolved in plan.resolved[kind]:
            if isinstance(resolved.component, UsesRuns):
                yield from resolved.component.recorded_runs.items()
