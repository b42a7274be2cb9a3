"""Read the data of a run, and what it recorded about them: their place, the split, how the values were scaled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.arrays import SegmentationData
from ..data.scaling import SIXTEEN_BITS, Scaling
from ..data.split import Split
from ..errors import RequestError
from ..files.documents import read_toml
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.plan import Plan
from ..registry import kinds
from .data import read_data


@waiting("Reading the data")
def read_data_of(folder: RunFolder, plan: Plan, *, hint: str | None = None) -> SegmentationData:
    """Read the data of a run. If they are not where its plan says, the error says how to name their place.

    That is `hint`, or else to record the new place in the run.
    """
    try:
        return read_data(plan)
    except RequestError as error:
        path = getattr(plan.one(kinds.DATASET), "path", None)
        if not isinstance(path, str) or os.path.exists(path):
            raise
        record = f"If the data are elsewhere now, record the new place: marsseg run --resume {folder.path} --data PATH."
        raise RequestError(error.what, where=error.where, hint=hint or record) from error


def record_data(folder: RunFolder, plan: Plan, file: Path | None = None) -> None:
    """Record in the plan of a run (or in `file`) where its data lie now, also those without labels.

    The rest of the plan stays as it is.
    """
    import tomli_w

    file = file or folder.plan
    document = read_toml(file) | {kinds.DATASET.option: plan.resolved[kinds.DATASET][0].to_toml()}
    if plan.resolved[kinds.METHOD]:
        document["training"]["unlabelled"] = plan.training.unlabelled
    folder.write_text(file, tomli_w.dumps(document))


def recorded_scaling(folder: RunFolder) -> Scaling | None:
    """Return how the values of a run's images were scaled to 0…255; None if they were not scaled.

    Runs of older versions did not record the scaling. They scaled 16-bit images over the whole range of 16 bits.
    """
    return _scaling(folder.read_split(), folder)


def _scaling(recorded: Mapping[str, Any], folder: RunFolder) -> Scaling | None:
    try:
        return Scaling.from_json(recorded["scaling"]) if "scaling" in recorded else SIXTEEN_BITS
    except ValueError as cause:
        raise RequestError(f"split.json: scaling is impossible: {cause}.", where=str(folder.path)) from cause


def recorded_split(folder: RunFolder, data: SegmentationData) -> Split:
    """Read the split of a run; RequestError if `data` is not the data that the run was trained on."""
    recorded = folder.read_split()
    pixels = "" if recorded["fingerprint"] == data.fingerprint() else "its images, masks or groups differ"
    if difference := other_classes(recorded, data) or pixels or other_scaling(recorded, data, folder):
        raise refusal(recorded, data, folder, difference)
    return valid_split(recorded, data, folder, groups=data.groups)


def refusal(recorded: Mapping[str, Any], data: SegmentationData, folder: RunFolder, difference: str) -> RequestError:
    """Return the error of data that are not those of a run, with the difference."""
    return RequestError(
        f"The data is not what the run was trained on ({recorded['source']}): {difference}.",
        where=f"{folder.title}, {data.source}",
        hint="The data of the run are needed here. To score all items of other data with the same classes: "
        f"marsseg evaluate {folder.title} --data OTHER --subset all",
    )


def valid_split(
    recorded: Mapping[str, Any], data: SegmentationData, folder: RunFolder, groups: np.ndarray | None
) -> Split:
    """Return the split of split.json; RequestError if no run has written it for so many items and these groups."""
    split = Split.from_json(recorded)
    if fault := split.fault(len(data), groups):
        raise RequestError(
            f"split.json is not as the run wrote it: {fault}.",
            where=str(folder.path),
            hint="Scores of these subsets would be wrong. Restore the file, or train again.",
        )
    return split


def other_classes(recorded: Mapping[str, Any], data: SegmentationData) -> str:
    """Describe how the classes of `data` differ from those that split.json has; empty if they do not.

    Names and ignored classes define how pixels are counted.
    """
    names, ignore_classes = tuple(recorded["classes"]), set(recorded["ignored"])
    if names != data.class_names:
        return f"its classes are {', '.join(data.class_names)}, not {', '.join(names)}"
    if ignore_classes != set(data.ignore_classes):
        now, then = (
            ", ".join(names[c] for c in sorted(classes)) or "none"
            for classes in (set(data.ignore_classes), ignore_classes)
        )
        return f"its ignored classes are {now}, not {then}"
    return ""


def other_scaling(recorded: Mapping[str, Any], data: SegmentationData, folder: RunFolder) -> str:
    """Describe how the scaling of `data`, which changes the images that the network sees, differs from the run's."""
    if "scaling" in recorded and _scaling(recorded, folder) != data.scaling:
        return f"its scaling differs: {data.scaling or 'values from 0 to 255 are not scaled'}"
    return ""
