"""Read the data of a plan, and check where they are said to be."""

from __future__ import annotations

from ..data.arrays import SegmentationData
from ..data.cleaning import clean
from ..errors import PluginError
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..planning.resolver import Request, resolve
from ..registry import kinds
from ..registry.session import Session


def check_data(text: str, run: RunFolder, session: Session, *, planned: bool = True) -> None:
    """Raise RequestError where `--data` names no data. This reads no file of them, and loads no Keras.

    `planned` says whether they are read as the plan of the run says, at another place.
    """
    base = str(run.path) if planned else None
    resolve(Request(base=base, compositions={kinds.DATASET.option: text}), session, only=(kinds.DATASET,))


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
