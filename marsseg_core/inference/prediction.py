"""Predict the images of a source one after the other, and write the results to files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import RequestError
from ..evaluation.confusion import check_finite
from ..evaluation.decoding import ARGMAX, Decoding
from ..messages import get_logger
from ..networks.predictor import Predictor
from .ensemble import with_channels
from .image_sources import ImageSource
from .outputs import Outputs, labels_of
from .submission import Submission

_logger = get_logger(__name__)


@dataclass
class Summary:
    """Counts of the predictions made so far.

    Attributes:
        pixels: (K,) the number of pixels of each class
        images: (K,) the number of images in which each class occurs
        count: the number of predicted images
        unreadable: the names of the images that could not be read
    """

    pixels: np.ndarray
    images: np.ndarray
    count: int = 0
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, num_classes: int) -> Summary:
        """Return a summary of no images."""
        return cls(np.zeros(num_classes, np.int64), np.zeros(num_classes, np.int64))

    @property
    def done(self) -> int:
        """Return the number of images that were predicted or could not be read."""
        return self.count + len(self.unreadable)

    def add(self, labels: np.ndarray) -> None:
        """Count the labels (H, W) of an image."""
        pixels = np.bincount(labels.ravel(), minlength=len(self.pixels))
        self.pixels += pixels
        self.images += pixels > 0
        self.count += 1


def predict_source(
    source: ImageSource,
    predictor: Predictor,
    *,
    ignore_classes: tuple[int, ...],
    decoding: Decoding = ARGMAX,
    outputs: Outputs | None,
    submission: Submission | None,
    summary: Summary,
    progress: Callable[[float], None],
) -> None:
    """Predict each image, and write the result to `outputs` and `submission`.

    No pixel is labelled with one of the `ignore_classes`. With a `decoding` that has offsets, the predictor must give
    probabilities; those that are written are without offsets. `summary` is updated after each image, and `progress` is
    called with the number of images done, also with fractions.

    An image that cannot be read is left out with a warning. If it is the only image, or there is a submission, which
    needs all images, its RequestError is raised instead. Raises RunError where the network's output for an image is not
    finite.
    """
    waiting: deque[tuple[str, np.ndarray]] = deque()  # images that were read and not yet predicted: at most a batch

    def images() -> Iterator[np.ndarray]:
        conversion_logged = False
        for position, name in enumerate(source.names):
            try:
                image = source.read(position)
            except RequestError as error:
                if submission is not None or len(source) == 1:
                    raise
                _logger.warning(f"{name} is left out: {error}")
                summary.unreadable.append(name)
                progress(summary.done)
                continue
            converted = with_channels(image, predictor.channels)
            if converted is not image and not conversion_logged:
                conversion_logged = True
                _logger.info(f"{name}: {_CONVERTED[predictor.channels]}")
            waiting.append((name, image))
            yield converted

    for row_strips in predictor.predict(images()):
        name, image = waiting.popleft()
        row_strips = _finite(row_strips, name)
        if outputs is not None:
            row_strips = outputs.with_probabilities(name, image.shape, row_strips)
        decoded = map(decoding.of_probabilities, _counted(row_strips, len(image), summary.done, progress))
        labels = labels_of(decoded, ignore_classes)
        if outputs is not None:
            outputs.write(name, image, labels)
        if submission is not None:
            submission.add(labels)
        summary.add(labels)


_CONVERTED = {
    1: "the network takes grey images; colour images such as this one are converted to grey (luma).",
    3: "the network takes colour images; grey images such as this one are converted to three equal channels.",
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
