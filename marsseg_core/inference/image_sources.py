"""Find the images to predict: an image file, a folder of image files, or a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ..data.arrays import SegmentationData
from ..data.file_names import file_names
from ..data.image_files import SUFFIXES
from ..data.image_reader import ImageReader
from ..data.ranges import Range
from ..data.subsets import SUBSETS, subset_called
from ..errors import RequestError, counted, nearest
from ..files.run_folder import RunFolder
from ..planning.recognition import datasets_that_recognise, given_as_source
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from ..registry.session import Session
from ..runs.data import load_unlabelled, read_data
from ..runs.recorded_data import recorded_split
from .ensemble import scaling_of
from .preparing import Preparing, preparing, unchanged

ALL: Final = "all"


def checked_subset(subset: str) -> str:
    """Return marsseg's name of a subset, for a word such as "val" too. Raises RequestError where it is of none."""
    name = subset_called(subset)
    if name not in (*SUBSETS, ALL):
        raise RequestError(f"There is no subset '{subset}'.", where="--subset", hint=nearest(name, (*SUBSETS, ALL)))
    return name


@dataclass(frozen=True)
class ImageSource:
    """Images that are read one by one.

    Attributes:
        title: what the images are, for messages
        names: the name of each image, a path without its suffix
        read: returns the image at a position, (H, W, C) uint8; raises RequestError where it cannot be read
        remarks: lines on the scaling of the values
        afterwards: returns lines on a doubtful scaling and on rotated images; call it when all images have been read
        prepared: brings an image to the scale of the images that the networks were trained on

    A data set logs its own remarks, so there both are empty.
    """

    title: str
    names: Sequence[str]
    read: Callable[[int], np.ndarray]
    remarks: Sequence[str] = ()
    afterwards: Callable[[], Sequence[str]] = tuple
    prepared: Preparing = unchanged

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
    """Find the images that `text` names.

    `text` is a data set by its name, an image file, a file or folder that a data set recognises, or else a folder of
    images. `subset` selects labelled images of a data set: all of them, or a subset that the runs recorded. Without it,
    the images without labels are selected, if the data set has any, or else all labelled images. `wanted` is the range
    of values from black to white of image files. Without it, values are scaled as in the runs, and other types of
    numbers by the rule `auto`.

    Raises RequestError where an option does not fit the kind of source, or there are no images.
    """
    path = Path(text)
    named = session.catalog.named(text.partition(":")[0], [kinds.DATASET])
    # A named pipe with the name of an image is one too: reading it says what is wrong.
    is_image = path.suffix.lower() in SUFFIXES and os.path.exists(text) and not os.path.isdir(text)
    if named or not (is_image or (os.path.isdir(text) and not datasets_that_recognise(path, session.catalog))):
        if wanted is not None:
            hint = f"Use the data set's own parameter, as in npz:path=tiles.npz:range={wanted}."
            raise RequestError("--range is for image files, not for a data set.", where="--range", hint=hint)
        return _dataset(text, session, runs, subset)
    if subset is not None:
        raise RequestError(
            "Image files have no subsets; only data sets have them.", where="--subset", hint="Leave --subset out."
        )
    wanted = wanted or Range.of(scaling_of(runs))
    source = (
        _files(str(path), [path.stem], [path], pixel_limit, wanted) if is_image else _folder(path, pixel_limit, wanted)
    )
    prepared, preparation = preparing(runs, session)
    if not preparation:
        return source
    remark = f"As in the training, {preparation}; masks get the size of the image."
    return replace(source, prepared=prepared, remarks=(*source.remarks, remark))


def _files(title: str, names: Sequence[str], paths: Sequence[Path], pixel_limit: int, wanted: Range) -> ImageSource:
    read = ImageReader(paths, wanted, limit=pixel_limit, lenient=True)
    scaled_paths, remarks = read.scaled(), []
    if scaled_paths:
        count = len(scaled_paths) - 1
        others = f" and {counted(count, 'other')}" if count else ""
        remarks = [f"{scaled_paths[0].name}{others}: {read.converter.kept}."]
    return ImageSource(title, names, lambda item: read(paths[item]), remarks, read.remarks)


def _folder(folder: Path, pixel_limit: int, wanted: Range) -> ImageSource:
    """Return all images in a folder and its subfolders, except hidden ones."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    paths = sorted(path for path in paths if not any(part.startswith(".") for part in path.parts))
    if not paths:
        raise RequestError("There is no image in this folder.", where=str(folder), hint=f"Images end in {_suffixes()}.")
    names = [str(path.with_suffix("")) for path in paths]
    first: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        if name in first:
            raise RequestError(
                f"The outputs of '{first[name]}' and '{path}' would have the same name, {name}.png.",
                where=str(folder),
                hint="Rename one of the images.",
            )
        first[name] = path
    return _files(str(folder), names, [folder / path for path in paths], pixel_limit, wanted)


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))


def _dataset(text: str, session: Session, runs: Sequence[RunFolder], subset: str | None) -> ImageSource:
    scaling = scaling_of(runs)
    with given_as_source(text):
        plan = resolve(Request(compositions={"data": text}), session, only=(kinds.DATASET,)).with_scaling(scaling)
    if subset is None:
        images = load_unlabelled(plan)
        if images is not None:
            return _numbered(f"{text}, without labels", images, np.arange(len(images)))
    if subset is None or subset == ALL:
        data = read_data(plan)
        return _labelled(f"{data.source}, all", data, np.arange(len(data)))
    request = Request(base=str(runs[0].path), compositions={"data": text})
    plan = resolve(request, session, only=(kinds.DATASET,))
    data = read_data(plan)
    items = _subset_items(subset, data, runs)
    return _labelled(f"{data.source}, {subset}", data, items)


def _subset_items(subset: str, data: SegmentationData, runs: Sequence[RunFolder]) -> np.ndarray:
    first, *others = [recorded_split(run, data)[subset] for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if not np.array_equal(first, other):
            raise RequestError(
                f"The runs do not have the same {subset} subset.",
                where=f"{runs[0].path}, {run.path}",
                hint="Use --subset all for all labelled images.",
            )
    return first


def _labelled(title: str, data: SegmentationData, items: np.ndarray) -> ImageSource:
    """Return labelled images, with files named like the items, or numbered if they have no names."""
    if data.names is None:
        return _numbered(title, data.images, items)
    names = file_names(data.name(item) for item in items)
    return ImageSource(title, names, lambda position: np.asarray(data.images[items[position]]))


def _numbered(title: str, images: np.ndarray, items: np.ndarray) -> ImageSource:
    digits = max(5, len(str(len(images) - 1)))
    names = [f"{item:0{digits}d}" for item in items]
    return ImageSource(title, names, lambda position: np.asarray(images[items[position]]))
