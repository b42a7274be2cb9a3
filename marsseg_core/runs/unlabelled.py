"""Read the images without labels of a plan, and record which they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ..data.arrays import SegmentationData
from ..data.collecting import collect, select
from ..data.duplicates import digests, image_copies
from ..data.split import Split
from ..errors import RequestError, counted
from ..files.documents import read_toml
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..planning import grammar
from ..planning.options import OF_LABELLED_DATA, OWN, UNUSED
from ..planning.plan import Plan
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from .data import load_unlabelled, read_data

_logger = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """The images without labels of a run.

    Attributes:
        images: (M, H, W, C) uint8, the images that the training uses.
        source: the name of the data set or its file, for messages
        held_out: the number of images of the source that are identical, or nearly identical, to one of the validation
            or the test subset. A transductive run uses them, any other leaves them out.
        transductive: whether the run uses them
        hashes: the hash of each image that the training uses
    """

    images: np.ndarray
    source: str
    held_out: int
    transductive: bool
    hashes: tuple[bytes, ...]

    @property
    def fingerprint(self) -> str:
        """Return a hash of the images that the training uses."""
        digest = hashlib.blake2b(repr(self.images.shape).encode(), digest_size=16)
        for item in self.hashes:
            digest.update(item)
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return what split.json records of the images."""
        return {
            "source": self.source,
            "images": len(self.images),
            "held_out": self.held_out,
            "transductive": self.transductive,
            "fingerprint": self.fingerprint,
            "hashes": [item.hex() for item in self.hashes],
        }

    def __str__(self) -> str:
        used = "used" if self.transductive else "left out"
        held_out = f"; {self.held_out:,} that are in the validation or test subset are {used}" if self.held_out else ""
        return f"{len(self.images):,} images of {self.source}{held_out}"


def read_unlabelled(plan: Plan, data: SegmentationData, split: Split) -> Unlabelled | None:
    """Read the images without labels of a plan; None if it has no semi-supervised method.

    `data` and `split` are the images with labels. Raises RequestError where there are no images, or where they do not
    fit those with labels.
    """
    if not plan.resolved[kinds.METHOD]:
        return None
    images, source = _images(plan, data, split)
    where = f"--unlabelled {plan.training.unlabelled}"
    rows, columns = plan.training.crop or data.images.shape[1:3]
    if images.shape[-1] != data.images.shape[-1] or images.shape[1] < rows or images.shape[2] < columns:
        raise RequestError(
            f"Images without labels of {_size(images)} do not fit images with labels of {_size(data.images)}.",
            where=where,
            hint="They must have as many channels, and be at least as large as the images that the network takes. "
            f"`marsseg show {_dataset_name(plan)}` lists what can be set of these images.",
        )
    if images.shape[1:] != data.images.shape[1:]:
        _logger.warning(
            f"Images without labels of {_size(images)} cannot be compared with those of the validation and test "
            f"subsets of {_size(data.images)}, so none of them is found among the others. Leave them out yourself."
        )
    held_out = _held_out(images, data, split)
    used = np.full(len(images), True) if plan.transductive else ~held_out
    if not used.any():
        raise RequestError(
            "All images without labels are in the validation or the test subset.",
            where=where,
            hint="Name others, or set transductive=true of --semi, which the scores then say.",
        )
    if not used.all():
        images = select(images, np.flatnonzero(used))
    return Unlabelled(images, source, int(held_out.sum()), plan.transductive, tuple(digests(images)))


def _held_out(images: np.ndarray, data: SegmentationData, split: Split) -> np.ndarray:
    """Return which images are copies or near copies of one of the validation or the test subset, (M,) bool."""
    found = np.zeros(len(images), bool)
    if images.shape[1:] == data.images.shape[1:]:
        own = select(data.images, [*split["validation"], *split["test"]])
        for group in image_copies(own, images).near:
            if group[0] < len(own):
                found[[item - len(own) for item in group if item >= len(own)]] = True
    return found


def read_unlabelled_of(folder: RunFolder, plan: Plan, data: SegmentationData, split: Split) -> Unlabelled | None:
    """Read the images without labels of a run that has begun; None if it has no semi-supervised method.

    Raises RequestError where they are not those that the run began with. If they are not where its plan says, the error
    says how to record their new place.
    """
    try:
        unlabelled = read_unlabelled(plan, data, split)
    except RequestError as error:
        named = grammar.parse(plan.training.unlabelled)
        path = next((each.parameters["path"] for each in named if "path" in each.parameters), None)
        if path is None or os.path.exists(path):
            raise
        hint = (
            "If the images without labels are elsewhere now, record the new place: "
            f"marsseg run --resume {folder.path} --unlabelled PATH."
        )
        raise RequestError(error.what, where=error.where, hint=hint) from error
    if folder.split.is_file():
        _check_unchanged(folder, unlabelled)
    return unlabelled


def has_other_unlabelled(folder: RunFolder, plan: Plan) -> bool:
    """Return whether a plan names another source of images without labels than the plan in the run folder."""
    recorded = read_toml(folder.plan)["training"].get("unlabelled", OWN)
    return bool(plan.resolved[kinds.METHOD]) and plan.training.unlabelled != recorded


def _check_unchanged(folder: RunFolder, unlabelled: Unlabelled | None) -> None:
    recorded: Mapping[str, Any] | None = folder.read_split().get("unlabelled")
    if unlabelled is None or recorded is None:
        return
    if unlabelled.to_json()["fingerprint"] != recorded["fingerprint"]:
        raise RequestError(
            f"The images without labels are not what the run was trained on ({recorded['source']}).",
            where=f"{folder.path}, {unlabelled.source}",
            hint=f"The run began with {recorded['images']:,} images, these are {len(unlabelled.images):,}. Restore "
            "them, or train again.",
        )


def _images(plan: Plan, data: SegmentationData, split: Split) -> tuple[np.ndarray, str]:
    """Return the images of the plan's source, (M, H, W, C) uint8, and the name of the source."""
    text = plan.training.unlabelled
    if text in OF_LABELLED_DATA:
        return _images_of_data(plan, data, split)
    others = resolve(Request(compositions={"data": text}), plan.session, only=(kinds.DATASET,))
    others = others.with_scaling(data.scaling)
    images = load_unlabelled(others)
    if images is not None:
        return images, f"{text}, without labels"
    labelled = read_data(others)
    return labelled.images, labelled.source


def _dataset_name(plan: Plan) -> str:
    """Return the name of the data set that the images without labels are from."""
    text = plan.training.unlabelled
    return plan.resolved[kinds.DATASET][0].entry.name if text in OF_LABELLED_DATA else grammar.parse(text)[0].name


def _images_of_data(plan: Plan, data: SegmentationData, split: Split) -> tuple[np.ndarray, str]:
    """Return the images without labels of the labelled data set and, if the plan says so, those in no subset."""
    own = load_unlabelled(plan)
    in_no_subset = _in_no_subset(plan, data, split)
    found = [] if own is None else [own]
    source = f"{data.source}, without labels"
    if plan.training.unlabelled == UNUSED and len(in_no_subset):
        found.append(select(data.images, in_no_subset))
        source += " or in no subset"
    if not found:
        hint = "Name a source of such images: --unlabelled PATH. The labels of its images are not used."
        if len(in_no_subset):
            count = counted(len(in_no_subset), "labelled image that is", "labelled images that are")
            hint += f" Or use {count} in no subset: --unlabelled {UNUSED}."
        raise RequestError(
            "The data set has no images without labels"
            + (
                ", and all that have labels are in a subset, or of the places of one that scores."
                if plan.training.unlabelled == UNUSED
                else "."
            ),
            where=f"--data {plan.resolved[kinds.DATASET][0].entry.name}",
            hint=hint,
        )
    if len({images.shape[1:] for images in found}) > 1:
        raise RequestError(
            f"Images without labels of {_size(found[0])} cannot be used together with those of {_size(found[1])} that "
            "are in no subset.",
            where=f"--unlabelled {UNUSED}",
            hint=f"Use the first alone: --unlabelled {OWN}.",
        )
    if len(found) == 1:
        return found[0], source
    like = next((images for images in found if isinstance(images, np.memmap)), found[0])
    return collect(like, chain.from_iterable(found), sum(map(len, found))), source


def _in_no_subset(plan: Plan, data: SegmentationData, split: Split) -> np.ndarray:
    """Return the labelled images that are in no subset, but those of the places of the validation and test subsets."""
    numbers = split.numbers(len(data))
    items = np.flatnonzero(numbers < 0)
    if data.groups is None or plan.transductive:
        return items
    held_out = data.groups[[*split["validation"], *split["test"]]]
    return items[~np.isin(data.groups[items], held_out)]


def _size(images: np.ndarray) -> str:
    return " × ".join(map(str, images.shape[1:]))
