"""Define the interface of metrics."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ...registry import kinds
from ..specs import MetricSpec
from .component import Component

if TYPE_CHECKING:
    import numpy as np


class Metric(Component):
    """Measure how good predictions are, as a number.

    Most metrics are computed from the confusion matrix of all images: implement `value`. A metric that needs the
    predictions themselves, such as one of boundaries, sets `needs_predictions` and implements `count` as well: marsseg
    adds up the counts of all images, and passes the sum to `value`.

    An undefined value, such as the score of a class that does not occur, is NaN and never 0. Void pixels never count.
    """

    kind = kinds.METRIC

    label: ClassVar[str] = ""
    """The name of the metric in tables and on pages."""

    explanation: ClassVar[str] = ""
    """The sentence, or sentences, that explain the metric on pages."""

    unit: ClassVar[str] = ""
    """The unit of the value; empty for a plain number, such as a share."""

    higher_is_better: ClassVar[bool] = True
    """Whether a higher value is better."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """The lowest and the highest possible value."""

    per_class: ClassVar[str] = ""
    """The prefix of the names of the values per class: "dice" for dice_soil, dice_sand, …; empty if there are none."""

    all_classes: ClassVar[bool] = False
    """Whether an ignored class is a possible prediction.

    Otherwise the prediction of a pixel is the class with the largest logit among the classes that are not ignored.
    """

    about_ignored: ClassVar[bool] = False
    """Whether the metric is another reading of a main one, which differs by what ignored classes do to it.

    Tables and pages of data without ignored classes leave it out, unless the user names it.
    """

    needs_predictions: ClassVar[bool] = False
    """Whether the metric is computed by `count`, from the prediction of each image.

    This takes time, so such a metric is computed only if the user names it. A metric of the confusion matrix is always
    computed.
    """

    in_tables: ClassVar[bool] = False
    """Whether tables and pages show the metric if nobody names it."""

    in_history: ClassVar[bool] = False
    """Whether the history has the metric for each epoch if nobody names it."""

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Compute the counts of one image. marsseg calls this method only if `needs_predictions` is True.

        Args:
            mask: The true labels, (H, W) uint8, with void (255).
            prediction: The predicted classes, (H, W) uint8, without void.
            spec: The number of classes and the ignored classes.

        Returns:
            An array of numbers. Its shape depends on `spec` alone, as the arrays of all images are added up.
        """
        raise NotImplementedError(f"{type(self).__name__} sets needs_predictions, but has no method `count`")

    @abstractmethod
    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        """Compute the value of the metric.

        Args:
            counts: The confusion matrix (K, K) int64: rows are the truth, columns the prediction. Void pixels are left
                out of it; the rows of ignored classes are not. If `needs_predictions` is True: the sum of the arrays
                that `count` returned.
            spec: The number of classes and the ignored classes.

        Returns:
            The value; NaN where it is undefined.
        """

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Compute the value of each class. Only a metric that sets `per_class` needs this method.

        Args:
            counts: As for `value`.
            spec: The number of classes and the ignored classes.

        Returns:
            An array (K,); NaN where a value is undefined.
        """
        raise NotImplementedError(f"{type(self).__name__} sets per_class, but has no method `values`")
