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
from .preparing import enlarged
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


@dataclass(frozen=True)
class Finisher:
    """Make the labels of an image from what a predictor gives, and write them.

    Attributes:
        ignore_classes: no pixel is labelled with one of these classes
        decoding: how values become classes. With offsets, the predictor must give probabilities; those that are written
            are without offsets.
        outputs: where images are written; None: nowhere
    """

    ignore_classes: tuple[int, ...]
    decoding: Decoding
    outputs: Outputs | None

    def finish(
        self,
        name: str,
        image: np.ndarray,
        row_strips: Iterator[np.ndarray],
        progress: Callable[[float], None] = lambda share: None,
    ) -> np.ndarray:
        """Write the result for an image, and return its labels; `progress` is called with the share that is done.

        Raises RunError where the output of the network is not finite.
        """
        row_strips = finite(row_strips, name)
        if self.outputs is not None:
            row_strips = self.outputs.with_probabilities(name, image.shape, row_strips)
        decoded = map(self.decoding.of_probabilities, _counted(row_strips, len(image), progress))
        labels = labels_of(decoded, self.ignore_classes)
        if self.outputs is not None:
            self.outputs.write(name, image, labels)
        return labels


def blocks(positions: range, size: int) -> Iterator[range]:
    """Cut positions into blocks of a size; the last one may be shorter."""
    return (range(start, min(start + size, positions.stop)) for start in range(positions.start, positions.stop, size))


def predicted(
    source: ImageSource,
    block: range,
    predictor: Predictor,
    *,
    unreadable: Callable[[int, RequestError], None],
    converted: Callable[[str], None],
) -> Iterator[tuple[int, np.ndarray, Iterator[np.ndarray]]]:
    """Yield the position, the image and the row strips of each image of a block.

    The result depends on no image of another block, so that these can be predicted elsewhere. Blocks have
    `predictor.batch` images and begin at its multiples; the last one may be shorter.

    `unreadable` is called for an image that cannot be read, `converted` with a line on an image whose channels the
    network does not take. Consume the strips of an image before the next one, or none of them.
    """
    # Images that were read and not yet predicted, at most a batch, with the shapes in which they are predicted.
    waiting: deque[tuple[int, np.ndarray, tuple[int, ...]]] = deque()

    def images() -> Iterator[np.ndarray]:
        for position in block:
            try:
                image = source.read(position)
            except RequestError as error:
                unreadable(position, error)
                continue
            fitting = with_channels(image, predictor.channels)
            if fitting is not image:
                converted(f"{source.names[position]}: {CONVERTED[predictor.channels]}")
            prepared = source.prepared(fitting)
            waiting.append((position, image, prepared.shape))
            yield prepared

    for row_strips in predictor.predict(images(), goes_on=block.start > 0 and len(block) < predictor.batch):
        position, image, shape = waiting.popleft()
        whole = row_strips if shape[:2] == image.shape[:2] else enlarged(row_strips, image.shape)
        yield position, image, whole


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
    """Predict each image, and write the result to `outputs` and `submission`, as `Finisher` says.

    `summary` is updated after each image, and `progress` is called with the number of images done, also with fractions.

    An image that cannot be read is left out with a warning. If it is the only image, or there is a submission, which
    needs all images, its RequestError is raised instead. Raises RunError where the network's output for an image is not
    finite.
    """
    finisher = Finisher(ignore_classes, decoding, outputs)
    told: set[str] = set()

    def unreadable(position: int, error: RequestError) -> None:
        if submission is not None or len(source) == 1:
            raise error
        leave_out(source.names[position], str(error), summary)
        progress(summary.done)

    def converted(line: str) -> None:
        if not told:
            _logger.info(line)
        told.add(line)

    for block in blocks(range(len(source)), predictor.batch):
        for position, image, row_strips in predicted(
            source, block, predictor, unreadable=unreadable, converted=converted
        ):
            done = summary.done
            labels = finisher.finish(
                source.names[position],
                image,
                row_strips,
                lambda share, done=done: progress(done + share),  # type: ignore[misc]
            )
            if submission is not None:
                submission.add(labels)
            summary.add(labels)


def leave_out(name: str, error: str, summary: Summary) -> None:
    """Warn of an image that cannot be read."""
    _logger.warning(f"{name} is left out: {error}")
    summary.unreadable.append(name)


CONVERTED = {
    1: "the network takes grey images; colour images such as this one are converted to grey (luma).",
    3: "the network takes colour images; grey images such as this one are converted to three equal channels.",
}


def finite(row_strips: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    """Yield row strips. Raises RunError where one is not finite."""
    for strip in row_strips:
        check_finite(strip, name)
        yield strip


def _counted(row_strips: Iterator[np.ndarray], height: int, progress: Callable[[float], None]) -> Iterator[np.ndarray]:
    rows = 0
    for strip in row_strips:
        yield strip
        rows += len(strip)
        progress(rows / height)
