"""One confusion matrix for a data set, and its readings, each under its own name.

On Mars data the background is *unlabelled* ground: what a network says there cannot be scored. So each pixel is
decoded twice: over the classes that count (`miou`), and over all classes (`miou_an2dl`, `miou_all`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from textwrap import shorten
from typing import Any

import numpy as np

from ..conventions import VOID
from ..data.class_ids import check_class_ids
from ..errors import RequestError, RunError
from ..shown import Shown

# What these functions call themselves where they refuse what they are given.
_WHERE = "scores"

# So much of the classes' scores stands in the text of a matrix.
_SHOWN_LETTERS = 400


def check_finite(values: np.ndarray, item: str, *, hint: str | None = None) -> None:
    """RunError where logits or probabilities of an item are not finite: no class is read off NaN or infinity."""
    finite = np.isfinite(values)
    if not finite.all():
        wrong = np.asarray(values)[~finite].flat[0]
        raise RunError(
            f"The network says {wrong} for {item}: its values must be finite numbers to be scored or shown.",
            hint=hint
            or "Its weights, or the statistics of its normalisations, have grown without bound or are damaged: train "
            "it with a smaller learning rate.",
        )


def decode(logits: np.ndarray, ignored: Sequence[int] = ()) -> np.ndarray:
    """Logits (…, K) → class ids (…) uint8: the best class that is not ignored."""
    kept = np.array([c for c in range(logits.shape[-1]) if c not in ignored], np.uint8)
    best: np.ndarray = kept[np.argmax(logits[..., kept] if ignored else logits, axis=-1)]
    return best


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """(K, K) int64 counts: rows are the truth, columns the prediction, arrays of one shape. Void pixels of the truth
    are left out. RequestError where a label is no class, or the prediction of a pixel that counts."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise RequestError(f"Labels of {truth.shape} do not fit predictions of {prediction.shape}.", where=_WHERE)
    check_class_ids(truth, num_classes, where=_WHERE)
    valid = truth != VOID
    said = prediction[valid]
    check_class_ids(said, num_classes, where=f"{_WHERE}, prediction")
    if (said == VOID).any():
        raise RequestError(f"A prediction is {VOID}, void, where the truth is a class.", where=_WHERE)
    pairs = truth[valid].astype(np.int64) * num_classes + said.astype(np.int64)
    counts: np.ndarray = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou_per_class(matrix: np.ndarray) -> np.ndarray:
    """(K,) intersection over union; NaN for a class that is absent from truth and prediction."""
    intersection = np.diagonal(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        iou: np.ndarray = intersection / union
    return iou


class Confusion(Shown):
    """Accumulates predictions and reads scores off them.

    `restricted` (K, K) is decoded over the classes that count, `unrestricted` (K, K) over all classes; rows are the
    truth. `per_image` has the `miou` of each image, NaN where an image has no labelled pixel; `wrong_per_image` how
    many of its labelled pixels are taken for another class.

    RequestError where no class counts, or what is added does not fit the classes; RunError for logits that are not
    finite: infinite ones too, though an argmax exists, since the losses of such a network do not.
    """

    def __init__(self, class_names: Sequence[str], ignored: Sequence[int]) -> None:
        self.class_names = _names(class_names)
        self.ignored: tuple[int, ...] = _row(ignored, "Ignored classes", "numbers of classes")
        size = len(self.class_names)
        if wrong := [c for c in self.ignored if not (isinstance(c, Integral) and 0 <= c < size)]:
            what = f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {size - 1}."
            raise RequestError(what, where=_WHERE)
        if len(set(self.ignored)) == size:
            raise RequestError("No class counts: there is nothing to score.", where=_WHERE)
        self.counted = np.array([c for c in range(size) if c not in self.ignored], np.int64)
        self.restricted = np.zeros((size, size), np.int64)
        self.unrestricted = np.zeros((size, size), np.int64)
        self.per_image: list[float] = []
        self.wrong_per_image: list[int] = []

    @property
    def summary(self) -> str:
        """The scores that say most, in a few words."""
        return f"miou {self.miou:.4f}, accuracy {self.accuracy:.4f} on {len(self.per_image)} images"

    def __repr__(self) -> str:
        ious = ", ".join(f"{self.class_names[c]} {self.iou[c]:.4f}" for c in self.counted)
        return f"Confusion({self.summary})\n  iou: {shorten(ious, _SHOWN_LETTERS, placeholder=' …')}"

    def update(self, labels: np.ndarray, logits: np.ndarray) -> None:
        """Add a batch: labels (B, H, W), whole numbers in 0 … K − 1 or 255; logits (B, H, W, K), finite."""
        size = len(self.class_names)
        labels, logits = np.asarray(labels), np.asarray(logits)
        if labels.ndim != 3 or logits.shape != (*labels.shape, size):
            raise RequestError(
                f"Labels of {labels.shape} and logits of {logits.shape} are not (B, H, W) and (B, H, W, {size}).",
                where=_WHERE,
            )
        if logits.dtype.kind not in "iuf":
            raise RequestError(f"Logits are of a type such as float32, not {logits.dtype}.", where=_WHERE)
        check_class_ids(labels, size, where=_WHERE)
        for place, each in enumerate(logits, start=len(self.per_image)):
            check_finite(each, f"image {place}")
        restricted = decode(logits, self.ignored)
        self.unrestricted += confusion_matrix(labels, decode(logits), size)
        for truth, prediction in zip(labels, restricted, strict=True):
            matrix = confusion_matrix(truth, prediction, size)
            self.restricted += matrix
            self.per_image.append(self._miou(matrix))
            counted = self._rows_that_count(matrix)
            self.wrong_per_image.append(int(counted.sum() - np.trace(counted)))

    def _rows_that_count(self, matrix: np.ndarray) -> np.ndarray:
        counted = np.zeros_like(matrix)
        counted[self.counted] = matrix[self.counted]
        return counted

    def _miou(self, matrix: np.ndarray) -> float:
        matrix = self._rows_that_count(matrix)
        return _mean(iou_per_class(matrix)[matrix.sum(1) > 0])

    @property
    def support(self) -> np.ndarray:
        """(K,) labelled pixels of each class; 0 for the ignored ones."""
        pixels: np.ndarray = self._rows_that_count(self.restricted).sum(1)
        return pixels

    @property
    def iou(self) -> np.ndarray:
        """(K,) IoU of each class on labelled pixels, decoded over the classes that count; NaN where undefined."""
        values = iou_per_class(self._rows_that_count(self.restricted))
        values[list(self.ignored)] = np.nan
        return values

    @property
    def miou(self) -> float:
        """The headline figure: ignored pixels left out, decoded over the classes that count, mean over the classes
        with support."""
        return self._miou(self.restricted)

    @property
    def miou_an2dl(self) -> float:
        """The course's score: ignored pixels left out, decoded over all classes, mean over the classes present in
        truth or prediction. A single labelled pixel predicted as background brings in a class of IoU 0."""
        return _mean(iou_per_class(self._rows_that_count(self.unrestricted)))

    @property
    def miou_all(self) -> float:
        """All pixels but void, decoded over all classes, mean over the classes that count and occur."""
        return _mean(iou_per_class(self.unrestricted)[self.counted])

    @property
    def miou_per_image(self) -> float:
        """The mean of each image's `miou`, over the images that have one."""
        return _mean(np.asarray(self.per_image))

    @property
    def accuracy(self) -> float:
        """The share of labelled pixels that are right, decoded over the classes that count."""
        matrix = self._rows_that_count(self.restricted)
        return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")

    def to_json(self) -> dict[str, Any]:
        """All readings, for metrics.json; what is undefined is None."""
        counted = [(self.class_names[c], c) for c in self.counted.tolist()]
        return {
            "images": len(self.per_image),
            "miou": _or_none(self.miou),
            "miou_an2dl": _or_none(self.miou_an2dl),
            "miou_all": _or_none(self.miou_all),
            "miou_per_image": _or_none(self.miou_per_image),
            "accuracy": _or_none(self.accuracy),
            "iou": {name: _or_none(self.iou[c]) for name, c in counted},
            "support": {name: int(self.support[c]) for name, c in counted},
            "confusion": self.restricted.tolist(),
        }


def _row(given: Any, what: str, of: str) -> tuple[Any, ...]:
    """What is in a row; RequestError where it is none."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise RequestError(f"{what} are a row of {of}, not {type(given).__name__}.", where=_WHERE)
    return tuple(given.tolist() if isinstance(given, np.ndarray) else given)


def _names(given: Any) -> tuple[str, ...]:
    names = _row(given, "Class names", "texts")
    if isinstance(given, set | frozenset) or not all(isinstance(name, str) for name in names):
        raise RequestError("Class names are texts in their order, such as ('ground', 'rock').", where=_WHERE)
    return names


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
