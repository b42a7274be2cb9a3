"""Count a data set's predictions in one confusion matrix, and read metrics off it, each under its own name.

On Mars data the background is *unlabelled* ground: what a network says there cannot be scored. So each pixel is
decoded twice: over the classes that count (`miou`), and over all classes (`miou_an2dl`, `miou_all`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from textwrap import shorten
from typing import Any

import numpy as np

from ..components.specs import MetricSpec
from ..conventions import VOID
from ..data.class_ids import check_class_ids
from ..errors import PluginError, RequestError, RunError, nearest
from ..planning.invoke import call_component
from ..planning.resolved import ResolvedComponent
from ..shown import Shown
from .formulas import (
    accuracy,
    counted_rows,
    iou_per_class,
    mean_defined,
    mean_iou,
    mean_iou_of_all_pixels,
    mean_iou_of_present,
)
from .measure import class_values_of, or_none, value_of, without_those_that_fail

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


def decode(logits: np.ndarray, ignore_classes: Sequence[int] = ()) -> np.ndarray:
    """Decode logits, or probabilities, (…, K) to class ids (…) uint8: the best class that is not ignored."""
    kept = np.array([c for c in range(logits.shape[-1]) if c not in ignore_classes], np.uint8)
    best: np.ndarray = kept[np.argmax(logits[..., kept] if ignore_classes else logits, axis=-1)]
    return best


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count which class was taken for which: (K, K) int64, rows are the truth, columns the prediction.

    Both are arrays of one shape; void pixels of the truth are left out.

    Raises:
        RequestError: A label is no class, or the prediction of a pixel that counts is none.
    """
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


class Confusion(Shown):
    """Accumulates predictions and reads scores off them.

    `restricted` (K, K) is decoded over the classes that count, `unrestricted` (K, K) over all classes; rows are the
    truth. `per_image` has the `miou` of each image, NaN where an image has no labelled pixel; `wrong_per_image` how
    many of its labelled pixels are taken for another class. `metrics` are read off it too, by their names.

    RequestError where no class counts, or what is added does not fit the classes; RunError for logits that are not
    finite: infinite ones too, though an argmax exists, since the losses of such a network do not.
    """

    def __init__(
        self, class_names: Sequence[str], ignore_classes: Sequence[int], metrics: Sequence[ResolvedComponent] = ()
    ) -> None:
        self.class_names = _names(class_names)
        self.ignore_classes: tuple[int, ...] = _row(ignore_classes, "Ignored classes", "numbers of classes")
        size = len(self.class_names)
        if wrong := [c for c in self.ignore_classes if not (isinstance(c, Integral) and 0 <= c < size)]:
            what = f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {size - 1}."
            raise RequestError(what, where=_WHERE)
        if len(set(self.ignore_classes)) == size:
            raise RequestError("No class counts: there is nothing to score.", where=_WHERE)
        self.counted = np.array([c for c in range(size) if c not in self.ignore_classes], np.int64)
        self.restricted = np.zeros((size, size), np.int64)
        self.unrestricted = np.zeros((size, size), np.int64)
        self.per_image: list[float] = []
        self.wrong_per_image: list[int] = []
        self._spec = MetricSpec(size, self.ignore_classes)
        self._metrics = {metric.entry.name: metric for metric in metrics}
        self._counts: dict[str, np.ndarray] = {}
        self._failures: dict[str, PluginError] = {}

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
        restricted, unrestricted = decode(logits, self.ignore_classes), decode(logits)
        self.unrestricted += confusion_matrix(labels, unrestricted, size)
        for truth, prediction in zip(labels, restricted, strict=True):
            matrix = confusion_matrix(truth, prediction, size)
            self.restricted += matrix
            self.per_image.append(mean_iou(matrix, self.ignore_classes))
            counted = counted_rows(matrix, self.ignore_classes)
            self.wrong_per_image.append(int(counted.sum() - np.trace(counted)))
        for metric in self._metrics.values():
            if metric.component.needs_predictions:
                predictions = unrestricted if metric.component.all_classes else restricted
                self._count(metric, labels.astype(np.uint8), predictions)

    def _count(self, metric: ResolvedComponent, masks: np.ndarray, predictions: np.ndarray) -> None:
        """Add up what a metric counts. One that fails is told of when it is read: the others must not suffer."""
        name = metric.entry.name
        if name in self._failures:
            return

        def added() -> np.ndarray:
            each = (metric.component.count(*pair, self._spec) for pair in zip(masks, predictions, strict=True))
            return sum((np.asarray(counts) for counts in each), self._counts.get(name, np.zeros(())))

        try:
            self._counts[name] = call_component(metric, added)
        except PluginError as error:
            self._failures[name] = error

    def value(self, name: str) -> float:
        """What one of its metrics says; NaN where that is undefined. RequestError where it has none of the name."""
        metric, counts = self._counted(name)
        return float("nan") if counts is None else value_of(metric, counts, self._spec)

    def named_class_values(self, name: str) -> dict[str, float]:
        """What one of its metrics says of each class that counts, as "dice_soil"; nothing where it says nothing."""
        word = self._counted(name)[0].component.per_class
        return {f"{word}_{label}": value for label, value in self.class_values(name).items()} if word else {}

    def class_values(self, name: str) -> dict[str, float]:
        """What one of its metrics says of each class that counts, by the class's name."""
        metric, counts = self._counted(name)
        if counts is None:
            return {self.class_names[c]: float("nan") for c in self.counted.tolist()}
        return class_values_of(metric, counts, self._spec, self.class_names)

    def _counted(self, name: str) -> tuple[ResolvedComponent, np.ndarray | None]:
        if name not in self._metrics:
            what = f"There is no metric '{name}' among those that were computed."
            raise RequestError(what, where=_WHERE, hint=nearest(name, self._metrics, listing="There are"))
        if name in self._failures:
            raise self._failures[name]
        metric = self._metrics[name]
        if metric.component.needs_predictions:
            return metric, self._counts.get(name)
        return metric, self.unrestricted if metric.component.all_classes else self.restricted

    @property
    def support(self) -> np.ndarray:
        """(K,) labelled pixels of each class; 0 for the ignored ones."""
        pixels: np.ndarray = counted_rows(self.restricted, self.ignore_classes).sum(1)
        return pixels

    @property
    def iou(self) -> np.ndarray:
        """(K,) IoU of each class on labelled pixels, decoded over the classes that count; NaN where undefined."""
        values = iou_per_class(counted_rows(self.restricted, self.ignore_classes))
        values[list(self.ignore_classes)] = np.nan
        return values

    @property
    def miou(self) -> float:
        """The headline figure: ignored pixels left out, decoded over the classes that count, mean over the classes
        with support."""
        return mean_iou(self.restricted, self.ignore_classes)

    @property
    def miou_an2dl(self) -> float:
        """The course's score: ignored pixels left out, decoded over all classes, mean over the classes present in
        truth or prediction. A single labelled pixel predicted as background brings in a class of IoU 0."""
        return mean_iou_of_present(self.unrestricted, self.ignore_classes)

    @property
    def miou_all(self) -> float:
        """All pixels but void, decoded over all classes, mean over the classes that count and occur."""
        return mean_iou_of_all_pixels(self.unrestricted, self.ignore_classes)

    @property
    def miou_per_image(self) -> float:
        """The mean of each image's `miou`, over the images that have one."""
        return mean_defined(np.asarray(self.per_image))

    @property
    def accuracy(self) -> float:
        """The share of labelled pixels that are right, decoded over the classes that count."""
        return accuracy(self.restricted, self.ignore_classes)

    def to_json(self) -> dict[str, Any]:
        """All scores, for metrics.json, its metrics behind those that it always has; what is undefined is None.

        A metric that fails is left out with a warning.
        """
        counted = [(self.class_names[c], c) for c in self.counted.tolist()]
        found: dict[str, Any] = {
            "images": len(self.per_image),
            "miou": or_none(self.miou),
            "miou_an2dl": or_none(self.miou_an2dl),
            "miou_all": or_none(self.miou_all),
            "miou_per_image": or_none(self.miou_per_image),
            "accuracy": or_none(self.accuracy),
            "iou": {name: or_none(self.iou[c]) for name, c in counted},
            "support": {name: int(self.support[c]) for name, c in counted},
            "confusion": self.restricted.tolist(),
        }
        per_class = {}
        for name, metric in self._metrics.items():
            with without_those_that_fail():
                found[name] = or_none(self.value(name))
                word = metric.component.per_class
                if word and not isinstance(found.get(word), dict):
                    per_class[word] = {label: or_none(value) for label, value in self.class_values(name).items()}
        return found | ({"per_class": per_class} if per_class else {})


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
