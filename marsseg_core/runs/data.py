"""Read the data of a plan."""

from __future__ import annotations

from ..data.arrays import SegmentationData
from ..data.cleaning import clean
from ..errors import PluginError
from ..files.waiting import waiting
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..registry import kinds


@waiting("Reading the data")
def read_data(plan: Plan) -> SegmentationData:
    """Read the data of a plan and clean it as the plan specifies.

    Raises PluginError that names the data set component, if that fails.
    """
    resolved = plan.resolved[kinds.DATASET][0]
    data = call_component(resolved, resolved.component.load)
    if not isinstance(data, SegmentationData):
        raise PluginError(f"The {resolved.entry.label} loads a {type(data).__name__}, not a SegmentationData.")
    return clean(data, plan.cleaning)
