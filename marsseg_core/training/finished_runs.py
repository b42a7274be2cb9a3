"""Check that the finished runs which a plan uses were trained on data like the plan's."""

from __future__ import annotations

from ..components.finished_runs import UsesRuns
from ..data.arrays import SegmentationData
from ..data.scaling import SIXTEEN_BITS
from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..planning.plan import Plan
from ..runs.recorded_data import recorded_scaling


def check_runs(plan: Plan, data: SegmentationData) -> None:
    """Check the classes of each run that a component of the plan uses, and how the values of its images were scaled.

    Raises RequestError where they are not those of the data, or a run folder no longer exists.
    """
    for several in plan.resolved.values():
        for component in (resolved.component for resolved in several if isinstance(resolved.component, UsesRuns)):
            for path in component.recorded_runs:
                _check(RunFolder.open(path), data, f"{component.run_parameter}={path}")


def _check(run: RunFolder, data: SegmentationData, where: str) -> None:
    names, _ = run.classes()
    if names != data.class_names:
        raise RequestError(
            f"The classes of the run are {', '.join(names)}; those of the data are {', '.join(data.class_names)}.",
            where=where,
            hint="Name a run that was trained on the same classes.",
        )
    theirs, ours = (None if scaling == SIXTEEN_BITS else scaling for scaling in (recorded_scaling(run), data.scaling))
    if theirs != ours:
        raise RequestError(
            f"The values of the run's images were scaled otherwise ({theirs or 'not'}) than those of the data "
            f"({ours or 'not'}).",
            where=where,
            hint="The parameter range of the data set says which values are black and white.",
        )
