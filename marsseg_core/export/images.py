"""The images on which an exported network is compared with its own network."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..data.split import Split
from ..errors import RequestError
from ..files.npy import read_known_npy
from ..files.pack import TEST_INPUT
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.tiling import cut
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.recorded_data import read_data_of, recorded_scaling, recorded_split

_logger = get_logger(__name__)

REAL = 8
RANDOM = 4

_HINT = "The data of the run are needed. If they are elsewhere now, name their place: --data PATH."


OwnData = tuple[SegmentationData, Split]
"""The data of a run and its split."""


def data_of(folder: RunFolder, session: Session, source: str | None = None, *, hint: str = _HINT) -> OwnData:
    """Read the data of a run and its split. `source` names their place now, as `--data` does; None: as the plan says.

    Raises RequestError, with the hint, where the data cannot be read, or are not those that the run was trained on.
    """
    compositions = {} if source is None else {kinds.DATASET.option: source}
    plan = resolve(Request(base=str(folder.path), compositions=compositions), session, only=(kinds.DATASET,))
    if source is None:
        data = read_data_of(folder, plan, hint=hint)
    else:
        data = read_data(plan.with_scaling(recorded_scaling(folder)))
    return data, recorded_split(folder, data)


def data_or_none(folder: RunFolder, session: Session) -> OwnData | None:
    """Read the data of a run and its split; say what is compared instead, and return None, where they cannot be."""
    try:
        return data_of(folder, session)
    except RequestError as error:
        used = "the test image of the pack and random images" if folder.of_pack else "random images"
        _logger.info(f"The comparison uses {used} only: {error.what}")
        return None


def compared_images(
    network: keras.Model, folder: RunFolder, stride: int | None, own: OwnData | None
) -> Iterator[np.ndarray]:
    """Yield batches of images as uint8: those of the run's own data, or of its pack, and random ones.

    With a `stride`, the random ones also have another size.
    """
    if own is not None:
        yield unseen_images(*own, network)
    elif folder.of_pack:
        yield read_known_npy(folder.path / TEST_INPUT, np.dtype(np.uint8), tuple(network.input_shape[1:]))[None]
    yield from random_images(network, stride)


def real_images(data: SegmentationData, items: np.ndarray, network: keras.Model) -> np.ndarray:
    """Return the images of some items as uint8 (n, H, W, C), cut or mirrored to the size that the network takes."""
    height, width = network.input_shape[1:3]
    return np.stack([cut(np.asarray(data.images[item]), 0, 0, height, width) for item in items])


def unseen_images(data: SegmentationData, split: Split, network: keras.Model) -> np.ndarray:
    """Return the first images of the validation subset, or of another one where it is empty."""
    items = next(split[subset] for subset in ("validation", "test", "train") if len(split[subset]))
    return real_images(data, np.asarray(items)[:REAL], network)


def random_images(network: keras.Model, stride: int | None = None) -> Iterator[np.ndarray]:
    """Yield batches of random images as uint8: some, and one; with a `stride`, also one of another size."""
    generator = np.random.default_rng(0)
    height, width, channels = network.input_shape[1:]
    shapes = [(RANDOM, height, width), (1, height, width)]
    if stride is not None:
        shapes.append((1, height + stride, width + 2 * stride))
    for shape in shapes:
        yield generator.integers(0, 256, (*shape, channels), np.uint8)
