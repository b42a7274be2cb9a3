"""Read the images without labels of a plan, and record which they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.arrays import SegmentationData
from ..data.collecting import select
from ..data.duplicates import digests
from ..data.split import Split
from ..errors import RequestError
from ..files.documents import read_toml
from ..files.run_folder import RunFolder
from ..planning import grammar
from ..planning.options import OWN
from ..planning.plan import Plan
from ..planning.unlabelled_source import UnlabelledSource
from ..registry import kinds
from .unlabelled_images import held_out_images, joined, read_others


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """The images without labels of a run.

    Attributes:
        images: (M, H, W, C) uint8, the images that the training uses; those of the training subset come last
        labelled: how many of them are of the training subset
        source: the name of the data set or its file, for messages
        held_out: the number of images of the source that are identical, or nearly identical, to one of the validation
            or the test subset. A transductive run uses them, any other leaves them out.
        transductive: whether the run uses them
        hashes: the hash of each image that the training uses
    """

    images: np.ndarray
    labelled: int
    source: str
    held_out: int
    transductive: bool
    hashes: tuple[bytes, ...]

    @property
    def others(self) -> np.ndarray:
        """Return the images that are not of the training subset."""
        return self.images[: len(self.images) - self.labelled]

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
    named, held_out = UnlabelledSource.of(plan.training.unlabelled), 0
    parts, sources = [], []
    if named.others:
        images, source = read_others(plan, named.others, data, split)
        found = held_out_images(images, data, split)
        held_out = int(found.sum())
        parts.append(images if plan.transductive else _without(images, found, plan))
        sources.append(source)
    if named.training:
        parts.append(select(data.images, split["train"]))
        sources.append("the training subset")
    images = joined(parts, where=_where(plan), hint="Use one of them alone.")
    labelled = len(split["train"]) if named.training else 0
    hashes = tuple(digests(images))
    return Unlabelled(images, labelled, " and of ".join(sources), held_out, plan.transductive, hashes)


def _without(images: np.ndarray, held_out: np.ndarray, plan: Plan) -> np.ndarray:
    """Return the images that are not held out. Raises RequestError where none is left."""
    if held_out.all():
        raise RequestError(
            "All images without labels are in the validation or the test subset.",
            where=_where(plan),
            hint="Name others, or set transductive=true of --semi, which the scores then say.",
        )
    return select(images, np.flatnonzero(~held_out)) if held_out.any() else images


def _where(plan: Plan) -> str:
    return f"--unlabelled {plan.training.unlabelled}"


def read_unlabelled_of(folder: RunFolder, plan: Plan, data: SegmentationData, split: Split) -> Unlabelled | None:
    """Read the images without labels of a run that has begun; None if it has no semi-supervised method.

    Raises RequestError where they are not those that the run began with. If they are not where its plan says, the error
    says how to record their new place.
    """
    try:
        unlabelled = read_unlabelled(plan, data, split)
    except RequestError as error:
        named = UnlabelledSource.of(plan.training.unlabelled)
        others = grammar.parse(named.others) if named.others else []
        path = next((each.parameters["path"] for each in others if "path" in each.parameters), None)
        if path is None or os.path.exists(path):
            raise
        hint = (
            "If the images without labels are elsewhere now, record the new place: "
            f"marsseg run --resume {folder.path} --unlabelled {named.with_others('PATH')}."
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
