"""The images on which an exported network is compared with its own network."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..data.split import Split
from ..files.run_folder import RunFolder
from ..networks.tiling import cut
from ..planning.resolver import Request, resolve
from ..registry import kinds
from ..registry.session import Session
from ..runs.recorded_data import read_data_of, recorded_scaling, recorded_split

REAL = 8
RANDOM = 4


def data_of(folder: RunFolder, session: Session) -> tuple[SegmentationData, Split]:
    """Read the data of a run and its split.

    Raises RequestError where the data cannot be read, or are not those that the run was trained on.
    """
    plan = resolve(Request(base=str(folder.path)), session, only=(kinds.DATASET,))
    data = read_data_of(folder, plan.with_scaling(recorded_scaling(folder)))
    return data, recorded_split(folder, data)


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
