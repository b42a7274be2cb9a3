"""Check that several runs can be scored as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RequestError
from ..files.run_folder import RunFolder
from .ensemble import scaling_of
from .image_sources import ALL


def check_scored_together(runs: Sequence[RunFolder], subset: str | None) -> None:
    """Raise RequestError unless the ensemble of these runs can be scored.

    There must be several, which scaled the values of their images in the same way. A subset, or "all" images of their
    data, must be the same in each run: an image that is new to one may be a training image of another. None means other
    data.
    """
    if len(runs) < 2:
        raise RequestError(
            f"An ensemble needs several runs, and {runs[0].title} is one.",
            where="ensemble",
            hint="Name more runs or a series, or leave out --ensemble.",
        )
    scaling_of(runs)
    if subset is None:
        return
    splits = [run.read_split() for run in runs]
    for run, split in zip(runs, splits, strict=True):
        same_data = split["fingerprint"] == splits[0]["fingerprint"]
        if same_data and (subset == ALL or split[subset] == splits[0][subset]):
            continue
        what = f"The {subset} subsets" if subset != ALL and same_data else "The data"
        raise RequestError(
            f"{what} of {runs[0].title} and {run.title} are not the same, so an image that is new to one may be a "
            "training image of the other.",
            where="ensemble",
            hint="Train runs on one split (--seeds N, or --split RUN/split.json), or score them on images that are new "
            "to all: --data PATH.",
        )
