"""What a run recorded of its data: the split, and how values were scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.arrays import SegmentationData
from ..data.scaling import SIXTEEN_BITS, Scaling
from ..data.splits import Split
from ..errors import RequestError
from ..files.run_folder import RunFolder


def recorded_scaling(folder: RunFolder) -> Scaling | None:
    """How the values of a run's images became 0…255; None where they are as they were.

    A run from before this was kept took 16 bits over their whole range.
    """
    kept = folder.read_split()
    try:
        return Scaling.from_json(kept["scaling"]) if "scaling" in kept else SIXTEEN_BITS
    except ValueError as cause:
        raise RequestError(f"split.json is not as a run writes it: {cause}.", where=str(folder.path)) from cause


def recorded_split(folder: RunFolder, data: SegmentationData) -> Split:
    """The subsets of a run's data. RequestError where `data` is not what the run was trained on."""
    kept = folder.read_split()
    if differing := _differing_identity(kept, data):
        raise RequestError(
            f"The data is not what the run was trained on ({kept['source']}): {differing}.",
            where=f"{folder.path}, {data.source}",
            hint="--data with --subset all scores any data set with the same classes whole.",
        )
    split = Split.from_json(kept)
    if wrong := split.fault(len(data), data.groups):
        raise RequestError(
            f"split.json is not as the run wrote it: {wrong}.",
            where=str(folder.path),
            hint="Scores of such subsets would not be true. Put the file back, or train anew.",
        )
    return split


def _differing_identity(kept: Mapping[str, Any], data: SegmentationData) -> str:
    """Say in what `data` is not the data that split.json describes; empty where it is the same.

    Names and ignored classes decide what a pixel counts as, so they belong to the identity of data like its pixels; so
    does the scaling, by which the run's network is shown other images.
    """
    names, ignore_classes = tuple(kept["classes"]), set(kept["ignored"])
    if names != data.class_names:
        return f"its classes are {', '.join(data.class_names)}, not {', '.join(names)}"
    if ignore_classes != set(data.ignore_classes):
        now, then = (
            ", ".join(names[c] for c in sorted(classes)) or "none"
            for classes in (set(data.ignore_classes), ignore_classes)
        )
        return f"its ignored classes are {now}, not {then}"
    if kept["fingerprint"] != data.fingerprint():
        return "its images, masks or groups differ"
    if "scaling" in kept and Scaling.from_json(kept["scaling"]) != data.scaling:
        return f"of its values, {data.scaling or '0 to 255 are seen as they are'}"
    return ""
