"""Begin a sweep in a new folder, or open one to go on with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..files.run_folder import create_run_folder
from ..networks.processes import refuse_processes
from ..planning.metrics import PREFIX
from ..planning.plan import Plan
from ..registry.session import Session, open_session
from .draw import check_sampler, plan_of
from .folder import SweepFolder
from .optional import import_optuna
from .options import SweepRequest
from .space import Assignment, Space, make_space
from .study import open_study
from .summary import Summary, TrialRecord


@dataclass(frozen=True)
class Sweep:
    """A sweep: its folder, its request, its space and its study.

    Attributes:
        folder: the folder
        request: what the user requested
        space: the settings that vary
        session: the catalog, and whether plugin files are trusted
        study: Optuna's study
    """

    folder: SweepFolder
    request: SweepRequest
    space: Space
    session: Session
    study: Any

    @property
    def column(self) -> str:
        """Return the column of the history that is the objective."""
        return self.space.plan.metrics.best_by

    @property
    def objective(self) -> str:
        """Return the metric that is the objective."""
        return self.column.removeprefix(PREFIX)

    def plan(self, assignment: Assignment) -> Plan:
        """Return the plan of a trial. Raises RequestError for a combination that cannot be trained."""
        with self.request.in_directory():
            return plan_of(self.space, assignment, self.request.request, self.session)

    def summary(self, status: str) -> Summary:
        """Return the summary of the trials so far."""
        attributes = self.study.user_attrs
        trials = [
            TrialRecord.of(trial, attributes.get(test_attribute(trial.number), {}))
            for trial in self.study.get_trials(deepcopy=False)
        ]
        return Summary(status, self.objective, self.space.plan.metrics.rises(self.column), trials)


def test_attribute(number: int) -> str:
    """Return the attribute of the study with the test scores of a trial: those of an ended trial cannot change."""
    return f"test {number}"


def begin_sweep(request: SweepRequest, space: Space, session: Session, out: Path | None) -> Sweep:
    """Begin a sweep in the folder `out`, or in a new one in runs/."""
    refuse_processes("a sweep")
    check_sampler(request.options.sampler, space)
    import_optuna()
    plan = space.plan
    folder = SweepFolder(create_run_folder(f"{plan.name}-{request.options.command}", out).path)
    folder.workers.mkdir()
    copied = replace(request.request, plugins=folder.write_plugins(plan))
    stored = replace(request, request=copied, settings=_settings_of(plan))
    direction = "maximize" if plan.metrics.rises(plan.metrics.best_by) else "minimize"
    study = open_study(folder.journal, direction=direction)
    folder.write_json(folder.request, stored.to_json())  # last: with it, the sweep can go on
    return Sweep(folder, request, space, session, study)


def open_sweep(path: Path, *, trials: int | None, disable: Iterable[str], trust: bool, command: str = "sweep") -> Sweep:
    """Open a sweep to go on with it, possibly with another number of trials.

    Raises RequestError if the folder is that of no sweep, if another command than `command` began it, if one of its
    plugin files is not trusted, if a file that it names has changed, or if the space cannot be searched any more.
    """
    refuse_processes("a sweep")
    folder = SweepFolder.open(path)
    request = SweepRequest.read(folder.request).with_trials(trials)
    if request.options.command != command:
        raise RequestError(
            f"This folder is from marsseg {request.options.command}.",
            where=str(path),
            hint=f"To resume it: marsseg {request.options.command} --resume {path}",
        )
    plugins = request.request.plugins
    if plugins and not trust:
        names = ", ".join(Path(plugin).name for plugin in plugins)
        raise RequestError(
            f"The sweep has plugin files, which would be executed: {names}.",
            where=str(path),
            hint="If you trust them, add --trust.",
        )
    disabled = (*request.disabled, *disable)
    files = [Path(plugin).absolute() for plugin in plugins]
    absolute = replace(request, request=replace(request.request, plugins=files), disabled=disabled)
    session = open_session(disable=disabled, trust=trust)
    with absolute.in_directory():
        space = make_space(
            request.options.varied, absolute.request, session, one_at_a_time=request.options.one_at_a_time
        )
    _refuse_changes(path, request.settings, _settings_of(space.plan))
    return Sweep(folder, absolute, space, session, open_study(folder.journal))


def _settings_of(plan: Plan) -> dict[str, str]:
    """Return the settings of a plan as texts; a name that occurs several times has all its values."""
    settings: dict[str, str] = {}
    for name, value, _ in plan.rows():
        settings[name] = f"{settings[name]}, {value}" if name in settings else value
    return settings


def _refuse_changes(path: Path, begun: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise RequestError if a setting has another value than when the sweep began: the trials could not be compared.

    The request names files, such as a plan or a split, whose content decides values. A setting that only one of two
    versions of a plugin has is no change.
    """
    changed = [
        f"{name} was {begun[name]}, and is {now[name]} now"
        for name in begun
        if now.get(name, begun[name]) != begun[name]
    ]
    if changed:
        raise RequestError(
            f"What the sweep names has changed since it began: {'; '.join(changed)}.",
            where=str(path),
            hint="Bring back the earlier file or version, or start a new sweep.",
        )
