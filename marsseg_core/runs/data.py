"""Read the data of a plan, and check where they are said to be."""

from __future__ import annotations

import numpy as np

from ..data.arrays import SegmentationData
from ..data.cleaning import clean
from ..errors import PluginError
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..planning.request import Request
from ..planning.resolver import resolve
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
    return clean(load_data(plan), plan.cleaning)


def load_data(plan: Plan) -> SegmentationData:
    """Load the data of a plan as they are.

    Raises PluginError that names the data set component, if that fails or returns something else.
    """
    resolved = plan.resolved[kinds.DATASET][0]
    data = call_component(resolved, resolved.component.load)
    if not isinstance(data, SegmentationData):
        raise PluginError(f"The {resolved.entry.label} loads a {type(data).__name__}, not a SegmentationData.")
    return data


def load_unlabelled(plan: Plan) -> np.ndarray | None:
    """Load the images without labels of a plan's data set, (M, H, W, C) uint8; None if it has none.

    Raises PluginError that names the data set component, if that fails or returns something else.
    """
    resolved = plan.resolved[kinds.DATASET][0]
    images = call_component(resolved, resolved.component.unlabelled)
    if images is None:
        return None
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        is_array = isinstance(images, np.ndarray)
        what = f"{images.dtype} of shape {images.shape}" if is_array else f"the type {type(images).__name__}"
        raise PluginError(f"The {resolved.entry.label} has images without labels of {what}, not uint8 (M, H, W, C).")
    return images if len(images) else None
