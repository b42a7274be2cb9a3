"""Predicting a source of images, one after the other, into files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import RequestError
from ..evaluation.confusion import check_finite
from ..messages import get_logger
from .ensemble import with_channels
from .image_sources import ImageSource
from .outputs import Outputs, labels_of
from .predictor import Predictor
from .submission import Submission

_logger = get_logger(__name__)


@dataclass
class Summary:
    """What was predicted so far: `pixels` (K,) of each class, `images` (K,) in which each class is, `count` of all.

    `unreadable` has the names of the images that could not be read.
    """

    pixels: np.ndarray
    images: np.ndarray
    count: int = 0
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, num_classes: int) -> Summary:
        return cls(np.zeros(num_classes, np.int64), np.zeros(num_classes, np.int64))

    @property
    def done(self) -> int:
        """How many images were predicted or found unreadable."""
        return self.count + len(self.unreadable)

    def add(self, labels: np.ndarray) -> None:
        found = np.bincount(labels.ravel(), minlength=len(self.pixels))
        self.pixels += found
        self.images += found > 0
        self.count += 1


def predict_source(
    source: ImageSource,
    predictor: Predictor,
    *,
    ignore_classes: tuple[int, ...],
    outputs: Outputs | None,
    submission: Submission | None,
    summary: Summary,
    progress: Callable[[float], None],
) -> None:
    """Predict each image and write it to `outputs` and `submission`, decoded over the classes not `ignore_classes`.

    RunError names an image for which a network's values are not finite.

    An image that cannot be read is named and left out, unless it is the only one or there is a submission, which
    needs each image: then its RequestError is raised. `summary` says at any time what was done, and
    `progress` is called with the number of images done.
    """
    waiting: deque[tuple[str, np.ndarray]] = deque()  # those read and not yet predicted: a batch at most

    def images() -> Iterator[np.ndarray]:
        told = False
        for place, name in enumerate(source.names):
            try:
                image = source.read(place)
            except RequestError as error:
                if submission is not None or len(source) == 1:
                    raise
                _logger.warning(f"{name} is left out: {error}")
                summary.unreadable.append(name)
                progress(summary.done)
                continue
            seen = with_channels(image, predictor.channels)
            if seen is not image and not told:
                told = True
                _logger.info(f"{name}: {_CONVERTED[predictor.channels]}")
            waiting.append((name, image))
            yield seen

    for row_strips in predictor.predict(images()):
        name, image = waiting.popleft()
        row_strips = _finite(row_strips, name)
        if outputs is not None:
            row_strips = outputs.keep(name, image.shape, row_strips)
        labels = labels_of(_counted(row_strips, len(image), summary.done, progress), ignore_classes)
        if outputs is not None:
            outputs.write(name, image, labels)
        if submission is not None:
            submission.add(labels)
        summary.add(labels)


_CONVERTED = {
    1: "the image has colours and the network takes grey; it and others like it are seen as their luma.",
    3: "the image is grey and the network takes colours; it and others like it are seen with three equal channels.",
}


def _finite(row_strips: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    for strip in row_strips:
        check_finite(strip, name)
        yield strip


def _counted(
    row_strips: Iterator[np.ndarray], height: int, done: int, progress: Callable[[float], None]
) -> Iterator[np.ndarray]:
    rows = 0
    for strip in row_strips:
        yield strip
        rows += len(strip)
        progress(done + rows / height)
