"""Where images to predict come from: an image file, a folder of them, or a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..data.arrays import SegmentationData
from ..data.image_reader import ImageReader
from ..data.images import SUFFIXES
from ..data.ranges import Range
from ..data.splits import SUBSETS
from ..errors import RequestError, nearest
from ..files.run_folder import RunFolder
from ..planning.invoke import call_component
from ..planning.resolver import Request, datasets_that_recognise, resolve
from ..registry import kinds
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.recorded_data import recorded_split
from .ensemble import scaling_of

ALL: Final = "all"


def check_subset(subset: str | None) -> None:
    """RequestError for what is no subset of a data set."""
    if subset is not None and subset not in (*SUBSETS, ALL):
        raise RequestError(f"There is no subset '{subset}'.", where="--subset", hint=nearest(subset, (*SUBSETS, ALL)))


@dataclass(frozen=True)
class ImageSource:
    """Images one by one: what each is called (a path without its suffix), and how the image at a position is read.

    `read` gives (H, W, C) uint8, or raises RequestError for an image that cannot be read. `remarks` says how their
    values are scaled, and `afterwards` what is doubtful in that, and which images were turned; a data set tells all
    this itself.
    """

    title: str
    names: Sequence[str]
    read: Callable[[int], np.ndarray]
    remarks: Sequence[str] = ()
    afterwards: Callable[[], Sequence[str]] = tuple

    def __len__(self) -> int:
        return len(self.names)


def find_source(
    text: str,
    session: Session,
    runs: Sequence[RunFolder],
    *,
    subset: str | None,
    pixel_limit: int,
    wanted: Range | None = None,
) -> ImageSource:
    """What `text` means: a data set by name, an image file, what a data set recognises, or else a folder of images.

    `subset` picks the labelled images of a data set: all, or a subset that the runs kept. Without it those are taken
    that have no labels, where the set has any. `wanted` says which values of image files are black and white; without
    it they are seen as the runs saw such numbers, and others by `auto`.
    """
    path = Path(text)
    named = session.catalog.named(text.partition(":")[0], [kinds.DATASET])
    is_image = os.path.isfile(text) and path.suffix.lower() in SUFFIXES
    if named or not (is_image or (os.path.isdir(text) and not datasets_that_recognise(path, session.catalog))):
        if wanted is not None:
            hint = f"Say it in the data set's words, as in npz:path=tiles.npz:range={wanted}."
            raise RequestError("The range is that of image files; a data set has its own.", where="--range", hint=hint)
        return _dataset(text, session, runs, subset)
    if subset is not None:
        raise RequestError("Image files have no subsets; a data set has.", where="--subset", hint="Leave it out.")
    wanted = wanted or Range.of(scaling_of(runs))
    if is_image:
        return _files(str(path), [path.stem], [path], pixel_limit, wanted)
    return _folder(path, pixel_limit, wanted)


def _files(title: str, names: Sequence[str], paths: Sequence[Path], pixel_limit: int, wanted: Range) -> ImageSource:
    read = ImageReader(paths, wanted, limit=pixel_limit, lenient=True)
    scaled, remarks = read.scaled(), []
    if scaled:
        others = f" and {len(scaled) - 1:,} other{'s' if len(scaled) > 2 else ''}" if len(scaled) > 1 else ""
        remarks = [f"{scaled[0].name}{others}: {read.converter.kept}."]
    return ImageSource(title, names, lambda item: read(paths[item]), remarks, read.remarks)


def _folder(folder: Path, pixel_limit: int, wanted: Range) -> ImageSource:
    """All images below a folder; hidden files and folders are left out."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    paths = sorted(path for path in paths if not any(part.startswith(".") for part in path.parts))
    if not paths:
        raise RequestError("There is no image in this folder.", where=str(folder), hint=f"Images end in {_suffixes()}.")
    names = [str(path.with_suffix("")) for path in paths]
    first: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        if name in first:
            raise RequestError(
                f"'{first[name]}' and '{path}' would give one output, {name}.png.",
                where=str(folder),
                hint="Give one of them another name.",
            )
        first[name] = path
    return _files(str(folder), names, [folder / path for path in paths], pixel_limit, wanted)


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))


def _dataset(text: str, session: Session, runs: Sequence[RunFolder], subset: str | None) -> ImageSource:
    scaling = scaling_of(runs)
    plan = resolve(Request(compositions={"data": text}), session, only=(kinds.DATASET,)).with_scaling(scaling)
    resolved = plan.resolved[kinds.DATASET][0]
    if subset is None:
        images: np.ndarray | None = call_component(resolved, resolved.component.unlabelled)
        if images is not None:
            return _numbered(f"{text}, without labels", images, np.arange(len(images)))
    if subset is None or subset == ALL:
        data = read_data(plan)
        return _numbered(f"{data.source}, all", data.images, np.arange(len(data)))
    request = Request(base=str(runs[0].path), compositions={"data": text})
    plan = resolve(request, session, only=(kinds.DATASET,))
    data = read_data(plan)
    items = _subset_items(subset, data, runs)
    return _numbered(f"{data.source}, {subset}", data.images, items)


def _subset_items(subset: str, data: SegmentationData, runs: Sequence[RunFolder]) -> np.ndarray:
    first, *others = [recorded_split(run, data)[subset] for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if not np.array_equal(first, other):
            raise RequestError(
                f"The runs do not have the same {subset} subset.",
                where=f"{runs[0].path}, {run.path}",
                hint="--subset all takes every labelled image.",
            )
    return first


def _numbered(title: str, images: np.ndarray, items: np.ndarray) -> ImageSource:
    digits = max(5, len(str(len(images) - 1)))
    return ImageSource(title, [f"{item:0{digits}d}" for item in items], lambda place: np.asarray(images[items[place]]))
