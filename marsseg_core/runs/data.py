"""Read a plan's data."""

from __future__ import annotations

from ..data.arrays import SegmentationData
from ..data.cleaning import clean
from ..errors import PluginError
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..registry import kinds


def read_data(plan: Plan) -> SegmentationData:
    """The data of a plan: read, and cleaned as the plan asks for. What its data set raises names it."""
    resolved = plan.resolved[kinds.DATASET][0]
    data = call_component(resolved, resolved.component.load)
    if not isinstance(data, SegmentationData):
        raise PluginError(f"The {resolved.entry.label} loads a {type(data).__name__}, not a SegmentationData.")
    return clean(data, plan.cleaning)
