"""Read the data that runs are scored on: their own, or others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..errors import PluginError, RequestError
from ..files.run_folder import RunFolder
from ..networks.predictor import HALF
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.lineage import runs_behind
from ..runs.other_data import TrainingImages, split_of_same_images, training_images_in
from ..runs.recorded_data import read_data_of, recorded_scaling, recorded_split
from .image_sources import ALL

# Apart from the network, a score needs only these components of a plan. The others need not be installed.
NEEDED_KINDS: Final = (kinds.DATASET,)

_HINT: Final = "If you have the data: marsseg evaluate {} --data PATH --subset test."


class DataReader:
    """Read the data of runs and other data, each once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._read: dict[str, SegmentationData] = {}

    def read(self, run: RunFolder, plan: Plan, source: Given | None, subset: str) -> SegmentationData:
        """Read a source for a run; None is the data of the run."""
        data_plan = _data_plan(run, plan, source, subset, self.session)
        key = f"{data_plan.one(kinds.DATASET)!r} {data_plan.cleaning!r}"
        if key not in self._read:
            hint = _HINT.format(run.title) if run.of_pack else None  # a pack is only read
            self._read[key] = read_data_of(run, data_plan, hint=hint) if source is None else read_data(data_plan)
        return self._read[key]

    def own(self, run: RunFolder) -> SegmentationData | None:
        """Return the data of a run; None if they cannot be read, or are no longer those of its training."""
        try:
            data = self.read(run, resolve(Request(base=str(run.path)), self.session, only=NEEDED_KINDS), None, ALL)
            recorded_split(run, data)
        except (RequestError, PluginError):
            return None
        return data


@dataclass(frozen=True)
class ScoredImages:
    """The images that a run is scored on.

    Attributes:
        data: the data set that they are part of
        items: their numbers in it
        trained: how many of them are training images of the run; None for its own subsets
        other_masks: whether they are images of the run with other masks
        overlap: that of a predictor. The run's own data are scored as in its training, other data as `marsseg predict`
            predicts them.
    """

    data: SegmentationData
    items: np.ndarray
    trained: TrainingImages | None = None
    other_masks: bool = False
    overlap: float | None = HALF

    @property
    def titles(self) -> tuple[str, ...]:
        """Return the name of each image."""
        return tuple(map(self.data.title, self.items.tolist()))


def images_to_score(run: RunFolder, plan: Plan, source: Given | None, subset: str, reader: DataReader) -> ScoredImages:
    """Read the images of a subset of a run, or of other data.

    Args:
        run: the run folder
        plan: its plan
        source: other data, as for `scoring.score_runs`; None means those of the run
        subset: "all", or a subset that the run recorded
        reader: what reads each data set once
    """
    data, own = reader.read(run, plan, source, subset), partial(reader.own, run)
    recorded = recorded_split(run, data) if source is None else None
    if subset == ALL:
        overlap = None if recorded is None else HALF
        return ScoredImages(data, np.arange(len(data)), _training_images(data, run, reader), overlap=overlap)
    if recorded is not None:
        return ScoredImages(data, recorded[subset])
    split, other_masks = split_of_same_images(data, run, own)
    return ScoredImages(data, split[subset], other_masks=other_masks)


def _training_images(data: SegmentationData, run: RunFolder, reader: DataReader) -> TrainingImages | None:
    """Find the images in data that a run has learned from, itself or through the runs that it has learned from."""
    own, *behind = (
        training_images_in(data, each, partial(reader.own, each)) for each in (run, *runs_behind(run, reader.session))
    )
    found = TrainingImages.of_any([own, *behind])
    return own if found is None or not any(behind) else replace(found, runs=1, behind=True)


def _data_plan(run: RunFolder, plan: Plan, source: Given | None, subset: str, session: Session) -> Plan:
    """Return a plan for reading the data that is scored.

    Without a `source`, that is the run's plan. For a subset, `source` is another place of the run's data, and is read
    as in the run's plan. For all items, it is read as it is. In both cases values are scaled as in the run.
    """
    if source is None:
        return plan
    base = None if subset == ALL else str(run.path)
    request = Request(base=base, compositions={"data": source})
    return resolve(request, session, only=NEEDED_KINDS).with_scaling(recorded_scaling(run))


def check_classes(run: RunFolder, network: keras.Model, data: SegmentationData) -> None:
    """Raise RequestError where the classes of a run, its network and the data are not the same."""
    names, _ = run.classes()
    if network.output_shape[-1] != len(names):
        raise RequestError(
            f"The network predicts {network.output_shape[-1]} classes, but the run has {len(names)}: "
            f"{', '.join(names)}.",
            where=str(run.network),
            hint="The file belongs to another run. Restore the run's own network.",
        )
    if names != data.class_names:
        raise RequestError(
            f"The classes of the run are {', '.join(names)}; those of the data are {', '.join(data.class_names)}.",
            where=f"{run.path}, {data.source}",
            hint="Both must have the same classes in the same order. Name the classes of a folder by a class file or "
            "classes=mars, and those of an .npz file by --set data.npz.classes=….",
        )
