"""Count the predictions for a data set in a confusion matrix, and compute metrics from it.

In the Mars data sets the background is ground that nobody has labelled: a prediction there cannot be scored. So each
pixel is decoded twice: over the classes that are not ignored (for `miou`), and over all classes (for `miou_an2dl` and
`miou_all`).
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
from ..shown import HtmlRepr
from .formulas import (
    accuracy,
    counted_rows,
    iou_per_class,
    mean_defined,
    mean_iou,
    mean_iou_of_all_pixels,
    mean_iou_of_present,
)
from .intervals import Intervals, intervals_of
from .measure import class_values_of, or_none, skip_failing_metrics, value_of
from .resampling import Counts, places_of

# The place that the errors of this module name.
_WHERE = "scores"

# The length of the scores per class in the `repr` of a Confusion.
_REPR_LETTERS = 400


def check_finite(values: np.ndarray, item: str) -> None:
    """Check that the logits or probabilities of an item are finite.

    Raises RunError where they are not: a NaN or an infinity must not be decoded to a class. `item` names the item in
    the message.
    """
    finite = np.isfinite(values)
    if not finite.all():
        wrong = np.asarray(values)[~finite].flat[0]
        raise RunError(
            f"The network predicts {wrong} for {item}: only finite numbers can be scored or shown.",
            hint="Its weights, or the statistics of its normalisation layers, have grown without bound or are damaged: "
            "train it with a smaller learning rate.",
        )


def decode(logits: np.ndarray, ignore_classes: Sequence[int] = ()) -> np.ndarray:
    """Decode logits or probabilities to class ids: the class with the largest value among those that are not ignored.

    Args:
        logits: Logits or probabilities, (…, K).
        ignore_classes: The classes that are never predicted.

    Returns:
        The class ids, (…) uint8.
    """
    first, *others = (c for c in range(logits.shape[-1]) if c not in ignore_classes)
    largest = logits[..., first]
    ids = np.full(largest.shape, first, np.uint8)
    for c in others:  # a third of the time of an argmax over so short an axis
        np.putmask(ids, logits[..., c] > largest, c)
        largest = np.maximum(largest, logits[..., c])
    return ids


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of each pair of true and predicted class.

    Pixels that are void (255) in the truth are left out.

    Args:
        truth: The true class ids, with void; an array of any shape.
        prediction: The predicted class ids; an array of the same shape.
        num_classes: K, the number of classes.

    Returns:
        The confusion matrix, (K, K) int64: rows are the truth, columns the prediction.

    Raises:
        RequestError: The shapes differ, a label is neither a class nor void, or a prediction that counts is not a
            class.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise RequestError(
            f"Labels of shape {truth.shape} do not fit predictions of shape {prediction.shape}.", where=_WHERE
        )
    check_class_ids(truth, num_classes, where=_WHERE)
    valid = truth != VOID
    predicted = prediction[valid]
    check_class_ids(predicted, num_classes, where=f"{_WHERE}, prediction")
    if (predicted == VOID).any():
        raise RequestError(f"A prediction is {VOID}, void, where the truth is a class.", where=_WHERE)
    pairs = truth[valid].astype(np.int64) * num_classes + predicted.astype(np.int64)
    counts: np.ndarray = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


class Confusion(HtmlRepr):
    """Accumulate the predictions for images, and compute scores from them.

    A class "counts" if it is not ignored. A labelled pixel is a pixel of a class that counts.

    Args:
        class_names: The name of each class, (K,).
        ignore_classes: The classes that count in no score.
        metrics: Further metrics to compute, as resolved components of a plan.
        groups: The group (place) of each image, (N,), in the order in which images are added; None if they have none.

    Attributes:
        class_names: The name of each class, (K,).
        ignore_classes: The classes that count in no score.
        counted: The classes that count.
        restricted: The confusion matrix (K, K) of predictions decoded over the classes that count; rows are the truth.
        unrestricted: The confusion matrix (K, K) of predictions decoded over all classes; rows are the truth.
        per_image: The `miou` of each image; NaN for an image without a labelled pixel.
        wrong_per_image: The number of labelled pixels of each image that are predicted as another class.

    Raises:
        RequestError: No class counts, or an ignored class does not exist.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        ignore_classes: Sequence[int],
        metrics: Sequence[ResolvedComponent] = (),
        *,
        groups: np.ndarray | None = None,
    ) -> None:
        self.class_names = _names(class_names)
        self.ignore_classes: tuple[int, ...] = _sequence(ignore_classes, "Ignored classes", "class numbers")
        size = len(self.class_names)
        if wrong := [c for c in self.ignore_classes if not (isinstance(c, Integral) and 0 <= c < size)]:
            message = f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {size - 1}."
            raise RequestError(message, where=_WHERE)
        if len(set(self.ignore_classes)) == size:
            raise RequestError("All classes are ignored: there is nothing to score.", where=_WHERE)
        self.counted = np.array([c for c in range(size) if c not in self.ignore_classes], np.int64)
        self.restricted = np.zeros((size, size), np.int64)
        self.unrestricted = np.zeros((size, size), np.int64)
        self.per_image: list[float] = []
        self.wrong_per_image: list[int] = []
        self._groups = None if groups is None else np.asarray(groups)
        self._counts_per_image: list[np.ndarray] = []
        self._spec = MetricSpec(size, self.ignore_classes)
        self._metrics = {metric.entry.name: metric for metric in metrics}
        self._counts: dict[str, np.ndarray] = {}
        self._failures: dict[str, PluginError] = {}

    @property
    def summary(self) -> str:
        """Return the most important scores, in one line."""
        return f"miou {self.miou:.4f}, accuracy {self.accuracy:.4f} on {len(self.per_image)} images"

    def __repr__(self) -> str:
        iou = self.iou
        ious = ", ".join(f"{self.class_names[c]} {iou[c]:.4f}" for c in self.counted)
        return f"Confusion({self.summary})\n  iou: {shorten(ious, _REPR_LETTERS, placeholder=' …')}"

    def update(self, labels: np.ndarray, logits: np.ndarray) -> None:
        """Add the predictions for a batch of images.

        Args:
            labels: The true labels (B, H, W): whole numbers from 0 to K − 1, or 255 for void.
            logits: The logits (B, H, W, K).

        Raises:
            RequestError: The arrays do not fit each other or the classes.
            RunError: A logit is not finite. An infinite logit is refused too: an argmax exists, but the losses of such
                a network are not finite.
        """
        size = len(self.class_names)
        labels, logits = np.asarray(labels), np.asarray(logits)
        if labels.ndim != 3 or logits.shape != (*labels.shape, size):
            raise RequestError(
                f"Labels of shape {labels.shape} and logits of shape {logits.shape} are not (B, H, W) and "
                f"(B, H, W, {size}).",
                where=_WHERE,
            )
        if logits.dtype.kind not in "iuf":
            raise RequestError(f"Logits must be of a type such as float32, not {logits.dtype}.", where=_WHERE)
        check_class_ids(labels, size, where=_WHERE)
        for number, image_logits in enumerate(logits, start=len(self.per_image)):
            check_finite(image_logits, f"image {number}")
        restricted, unrestricted = decode(logits, self.ignore_classes), decode(logits)
        self.unrestricted += confusion_matrix(labels, unrestricted, size)
        for truth, prediction in zip(labels, restricted, strict=True):
            matrix = confusion_matrix(truth, prediction, size)
            self.restricted += matrix
            self.per_image.append(mean_iou(matrix, self.ignore_classes))
            counted = counted_rows(matrix, self.ignore_classes)
            self.wrong_per_image.append(int(counted.sum() - np.trace(counted)))
            counts = np.diagonal(counted), counted.sum(axis=0), counted.sum(axis=1)
            self._counts_per_image.append(np.stack(counts)[:, self.counted])
        for metric in self._metrics.values():
            if metric.component.needs_predictions:
                predictions = unrestricted if metric.component.all_classes else restricted
                self._count(metric, labels.astype(np.uint8), predictions)

    def _count(self, metric: ResolvedComponent, masks: np.ndarray, predictions: np.ndarray) -> None:
        """Add the counts of a metric for a batch.

        A failure is stored and raised later, when the value of the metric is computed, so that it does not stop the
        other metrics.
        """
        name = metric.entry.name
        if name in self._failures:
            return

        def total() -> np.ndarray:
            each = (metric.component.count(*pair, self._spec) for pair in zip(masks, predictions, strict=True))
            return sum((np.asarray(counts) for counts in each), self._counts.get(name, np.zeros(())))

        try:
            self._counts[name] = call_component(metric, total)
        except PluginError as error:
            self._failures[name] = error

    def value(self, name: str) -> float:
        """Return the value of one of the further metrics.

        Args:
            name: The name of the metric, such as "dice".

        Returns:
            The value; NaN where it is undefined.

        Raises:
            RequestError: No metric of this name was passed to this object.
            PluginError: The metric failed.
        """
        metric, counts = self._metric_and_counts(name)
        return float("nan") if counts is None else value_of(metric, counts, self._spec)

    def named_class_values(self, name: str) -> dict[str, float]:
        """Return the values per class of a metric by names such as "dice_soil"; empty if it has no values per class."""
        prefix = self._metric_and_counts(name)[0].component.per_class
        return {f"{prefix}_{label}": value for label, value in self.class_values(name).items()} if prefix else {}

    def class_values(self, name: str) -> dict[str, float]:
        """Return the value of a metric for each class that counts, by the name of the class.

        Args:
            name: The name of one of the further metrics, which must have values per class.

        Returns:
            The values; NaN where a value is undefined.

        Raises:
            RequestError: No metric of this name was passed to this object.
            PluginError: The metric failed.
        """
        metric, counts = self._metric_and_counts(name)
        if counts is None:
            return {self.class_names[c]: float("nan") for c in self.counted.tolist()}
        return class_values_of(metric, counts, self._spec, self.class_names)

    def _metric_and_counts(self, name: str) -> tuple[ResolvedComponent, np.ndarray | None]:
        """Return a metric, and the array that its value is computed from; None if no image was counted yet."""
        if name not in self._metrics:
            message = f"The metric '{name}' was not computed."
            raise RequestError(message, where=_WHERE, hint=nearest(name, self._metrics, listing="Computed"))
        if name in self._failures:
            raise self._failures[name]
        metric = self._metrics[name]
        if metric.component.needs_predictions:
            return metric, self._counts.get(name)
        return metric, self.unrestricted if metric.component.all_classes else self.restricted

    @property
    def support(self) -> np.ndarray:
        """Return the number of labelled pixels of each class, (K,); 0 for the ignored classes."""
        pixels: np.ndarray = counted_rows(self.restricted, self.ignore_classes).sum(1)
        return pixels

    @property
    def iou(self) -> np.ndarray:
        """Return the IoU of each class on labelled pixels, (K,); NaN where it is undefined or the class is ignored.

        Predictions are decoded over the classes that count.
        """
        values = iou_per_class(counted_rows(self.restricted, self.ignore_classes))
        values[list(self.ignore_classes)] = np.nan
        return values

    @property
    def miou(self) -> float:
        """Return the mean IoU that marsseg ranks networks by.

        Pixels of ignored classes are left out, predictions are decoded over the classes that count, and the mean is
        taken over the classes that occur in the truth.
        """
        return mean_iou(self.restricted, self.ignore_classes)

    @property
    def miou_an2dl(self) -> float:
        """Return the mean IoU as the AN2DL course computed it.

        Pixels of ignored classes are left out, predictions are decoded over all classes, and the mean is taken over
        the classes that occur in truth or prediction. So one labelled pixel that is predicted as background adds a
        class with an IoU of 0 to the mean.
        """
        return mean_iou_of_present(self.unrestricted, self.ignore_classes)

    @property
    def miou_all(self) -> float:
        """Return the mean IoU over all pixels that are not void.

        Predictions are decoded over all classes, and the mean is taken over the classes that count and that occur in
        truth or prediction.
        """
        return mean_iou_of_all_pixels(self.unrestricted, self.ignore_classes)

    @property
    def miou_per_image(self) -> float:
        """Return the mean of the `miou` of single images, over the images with a labelled pixel."""
        return mean_defined(np.asarray(self.per_image))

    @property
    def accuracy(self) -> float:
        """Return the share of the labelled pixels that are predicted correctly, decoded over the classes that count."""
        return accuracy(self.restricted, self.ignore_classes)

    def intervals(self) -> Intervals:
        """Return 95 % intervals of `miou` and of the IoU of each class, by a bootstrap over the places of the images.

        A place is a group of the data; without groups, each image is one. The draws have a fixed seed.

        Raises:
            RequestError: There is not one group for each image.
        """
        if self._groups is not None and len(self._groups) != len(self._counts_per_image):
            what = f"There are {len(self._groups)} groups for {len(self._counts_per_image)} images."
            raise RequestError(what, where=_WHERE)
        images = np.stack([np.zeros((3, len(self.counted)), np.int64), *self._counts_per_image])[1:]
        return intervals_of(
            Counts(images[:, 0], images[:, 1], images[:, 2]),
            places_of(np.arange(len(images)), self._groups),
            tuple(self.class_names[c] for c in self.counted.tolist()),
            "images" if self._groups is None else "places",
        )

    def to_json(self) -> dict[str, Any]:
        """Return all scores as they are written to metrics.json.

        The scores that every run has come first, then those of the further metrics. An undefined score is None. A
        metric that fails is left out with a warning.
        """
        counted = [(self.class_names[c], c) for c in self.counted.tolist()]
        iou, support = self.iou, self.support
        scores: dict[str, Any] = {
            "images": len(self.per_image),
            "miou": or_none(self.miou),
            "miou_an2dl": or_none(self.miou_an2dl),
            "miou_all": or_none(self.miou_all),
            "miou_per_image": or_none(self.miou_per_image),
            "accuracy": or_none(self.accuracy),
            "iou": {name: or_none(iou[c]) for name, c in counted},
            "support": {name: int(support[c]) for name, c in counted},
            "confusion": self.restricted.tolist(),
        }
        per_class = {}
        for name, metric in self._metrics.items():
            with skip_failing_metrics():
                scores[name] = or_none(self.value(name))
                prefix = metric.component.per_class
                if prefix and not isinstance(scores.get(prefix), dict):
                    per_class[prefix] = {label: or_none(value) for label, value in self.class_values(name).items()}
        return scores | ({"per_class": per_class} if per_class else {})


def _sequence(values: Any, what: str, of: str) -> tuple[Any, ...]:
    """Return the items of a sequence as a tuple. Raises RequestError for anything else, such as a text or a number."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise RequestError(f"{what} must be a sequence of {of}, not {type(values).__name__}.", where=_WHERE)
    return tuple(values.tolist() if isinstance(values, np.ndarray) else values)


def _names(values: Any) -> tuple[str, ...]:
    """Return class names as a tuple. Raises RequestError where they are not texts in a fixed order."""
    names = _sequence(values, "Class names", "strings")
    if isinstance(values, set | frozenset) or not all(isinstance(name, str) for name in names):
        raise RequestError("Class names must be strings in their order, such as ('ground', 'rock').", where=_WHERE)
    return names
