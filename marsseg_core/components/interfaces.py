"""The interfaces of marsseg: one class per kind of component, and what each is given.

A component is a frozen dataclass whose fields are its parameters (`marsseg_core.registry.parameters.param`) and whose
docstring's first line is its summary. Its module is imported to show and check it, so it imports Keras only
inside the methods that build: then a wrong parameter is an error at once, not after ten seconds.

Shapes: B images of H rows and W columns with C channels; K classes. Labels are integers, 255 is void: never a
class, ignored by every loss and metric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..conventions import LossFunction, TargetFunction, Transform
from ..registry import kinds
from ..registry.kinds import Kind
from ..registry.parameters import NONE_WORD
from .specs import BottleneckSpec, LossSpec, MetricSpec, OptimizerSpec, ScheduleSpec, WeightingSpec

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ..data.arrays import SegmentationData
    from ..data.scaling import Scaling
    from .weighting_layer import WeightingLayer


class Component(ABC):
    """Choose a part of a run by name, with the fields of a frozen dataclass as its parameters.

    Derive from the interface of a kind, not from this: it is what they have in common.
    """

    kind: ClassVar[Kind]
    """Say which kind it is; each interface does."""

    layer_modules: ClassVar[tuple[str, ...]] = ()
    """Name the modules that define the custom Keras layers of what it builds.

    They are imported before a saved network is read: Keras finds a layer by its registered name only once its module is
    there.
    """

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        """Give the composition texts among the fields of a component that is made of components, each with its kind.

        They are checked with the plan, and their layers are found when a network is loaded.
        """
        return ()


def _compose_nothing(text: str) -> tuple[Bottleneck, ...]:
    if text != NONE_WORD:
        raise ValueError(f"no catalog was given to find '{text}' in")
    return ()


@dataclass(frozen=True)
class NetworkSpec:
    """Say what an architecture is to build: from images (B, height, width, channels) to `num_classes` logits.

    Attributes:
        height: rows of an image, in pixels
        width: columns of an image, in pixels
        channels: 1 for grey images, 3 for colours, or any other number
        num_classes: K, the classes, those that are ignored included
        bottlenecks: those of the plan, in order; `bottleneck` puts them in
        compose: turns a composition text, such as "transformer,aspp", into bottlenecks, for an architecture that holds
            some of its own in its fields
    """

    height: int
    width: int
    channels: int
    num_classes: int
    bottlenecks: tuple[Bottleneck, ...] = ()
    compose: Callable[[str], tuple[Bottleneck, ...]] = field(default=_compose_nothing, repr=False, compare=False)

    def bottleneck(self, features: Any) -> Any:
        """Chain the bottlenecks, first to last, on a feature map (B, h, w, c) → (B, h, w, c')."""
        return self.chain(features, self.bottlenecks)

    def chain(self, features: Any, bottlenecks: Sequence[Bottleneck], prefix: str = "") -> Any:
        """Chain other bottlenecks; of several chains in a network each needs a `prefix` of its own for its layers."""
        for position, component in enumerate(bottlenecks, start=1):
            spec = BottleneckSpec(self.num_classes, prefix=f"{prefix}bottleneck{position}_")
            features = component.build(features, spec)
        return features


class Architecture(Component):
    """Wire a network from images to logits."""

    kind = kinds.ARCHITECTURE

    takes_bottleneck: ClassVar[bool] = True
    """Say whether it has a coarsest map of its own; without one `--bottleneck` is refused before anything is built."""

    @abstractmethod
    def build(self, spec: NetworkSpec) -> keras.Model:
        """Build a functional model from images (B, H, W, C) in [0, 1] to float32 **logits** (B, H, W, K).

        With auxiliary heads the output is a dictionary instead: "logits" is the one that is scored and saved for
        use; "aux_2", "aux_3", … are further logits of the same shape, in order of decreasing importance; "presence"
        (B, K) are logits of each class being anywhere in the image. Each is float32.

        Raises:
            ValueError: where the parameters do not fit the images' size; its text is shown to the user
        """


class Bottleneck(Component):
    """Transform the coarsest feature map of a network."""

    kind = kinds.BOTTLENECK

    @abstractmethod
    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        """Build layers on a feature map (B, h, w, c): one of the same height and width, with any number of channels."""


class Loss(Component):
    """Measure how wrong logits are."""

    kind = kinds.LOSS

    @property
    def may_be_negative(self) -> bool:
        """Say whether the loss can fall below 0: it is refused where a weighting needs ratios or logarithms of it."""
        return False

    @abstractmethod
    def build(self, spec: LossSpec) -> LossFunction:
        """Build a function of labels (B, H, W) integers and logits (B, H, W, K) float32 that gives a scalar.

        It is finite on any labels, and its gradient is exactly 0 at pixels that are void (255) or of an ignored class.
        """

    def targets(self, spec: LossSpec) -> TargetFunction | None:
        """Give what the input pipeline computes from each mask, after its augmentation, for this loss; None: nothing.

        With it, the function that `build` gives is called with (labels, logits, targets).
        """
        return None


class Weighting(Component):
    """Join several losses into the one that is minimised."""

    kind = kinds.WEIGHTING

    moves: ClassVar[bool] = True
    """Say whether what the losses count changes in the course of a training."""

    @property
    def needs_nonnegative(self) -> bool:
        """Say whether the rule takes ratios or logarithms of the losses, so that none may be negative."""
        return False

    def check(self, spec: WeightingSpec) -> None:
        """Check that the parameters fit these losses. It is called with the plan, before Keras.

        Raises:
            ValueError: where they do not
        """

    @abstractmethod
    def build(self, spec: WeightingSpec) -> WeightingLayer:
        """Build a layer from the vector of losses (n,) to the scalar objective.

        It is part of the model that is trained: its weights, trained or set by its rule, are in the checkpoint.

        Raises:
            ValueError: where the rule's parameters do not fit these losses
        """


class Schedule(Component):
    """Move the learning rate in the course of a training."""

    kind = kinds.SCHEDULE

    def check(self, epochs: int) -> None:
        """Check that the parameters fit so many epochs. It is called with the plan, before Keras.

        Raises:
            ValueError: where they do not
        """

    @abstractmethod
    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback:
        """Build a Keras schedule (a function of the step) or a callback (which sees the epoch's scores)."""


class Optimizer(Component):
    """Move the weights by their gradients."""

    kind = kinds.OPTIMIZER

    @abstractmethod
    def build(self, spec: OptimizerSpec) -> keras.optimizers.Optimizer:
        """Build a Keras optimizer, anew each time, that keeps to `spec`.

        ValueError where the parameters do not fit what the plan asks for.
        """


class Metric(Component):
    """Say in a number how good predictions are.

    Most are read off the confusion matrix of all images. One that needs the predictions themselves (where a class ends,
    say) counts on each image; its counts are added up over the images, and its value is read off the sum.

    What is undefined, such as the score of a class that is nowhere, is NaN and never 0. Void pixels never count.
    """

    kind = kinds.METRIC

    # Its row of the table. What tables and pages call it, and the sentences that explain it there.
    label: ClassVar[str] = ""
    explanation: ClassVar[str] = ""
    # What it is measured in; empty for a plain number, such as a share.
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    # The least and the greatest value that it can have.
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    # What the values of the single classes go by: "dice" for dice_soil, dice_sand, …; empty where it has none.
    per_class: ClassVar[str] = ""
    # Whether the network may answer with an ignored class. Otherwise its best class among those that count is taken.
    all_classes: ClassVar[bool] = False
    # Whether it is computed by `count`, from the predictions of each image. That is dear, so it is done where somebody
    # asks for it by name only; what is read off the confusion matrix is always there.
    needs_predictions: ClassVar[bool] = False
    # Whether tables and pages show it, and the history of each epoch has it, where nobody asks for it by name.
    in_tables: ClassVar[bool] = False
    in_history: ClassVar[bool] = False

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Count one image: an array of a shape that depends on `spec` alone, to be summed over the images.

        Mask (H, W) uint8 with void, prediction (H, W) uint8 without. It is called where `needs_predictions` says so.
        """
        raise NotImplementedError(f"{type(self).__name__} needs predictions, and has no `count`")

    @abstractmethod
    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        """Compute the number; NaN where it is undefined.

        `counts` is the confusion matrix (K, K) int64, rows the truth and columns the prediction, void left out and the
        ignored classes' rows not; where the metric needs predictions, the sum of what `count` gave.
        """

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Compute the number of each class (K,), NaN where undefined: of a metric that names a `per_class`."""
        raise NotImplementedError(f"{type(self).__name__} names its values per class, and has no `values`")


class Augmentation(Component):
    """Vary images and masks together."""

    kind = kinds.AUGMENTATION

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vary images (B, H, W, C) float32 in [0, 1] and masks (B, H, W) uint8, moved together; give the same shapes.

        All randomness comes from `generators`, one for each image, so that what happens to an image depends on
        the seed, the epoch and the image alone. Labels are never interpolated; what enters from outside is void.
        The arrays given may be changed in place.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `apply` nor `prepare`")

    def prepare(self, data: SegmentationData, items: np.ndarray) -> Transform:
        """Give what is applied in a training on `items` (indices) of `data`: `apply`, for most.

        An augmentation that brings in parts of other images overrides this, and draws them from these items alone:
        the other subsets of the data must stay unseen.
        """
        return self.apply


class Dataset(Component):
    """Read labelled images."""

    kind = kinds.DATASET

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether `--data PATH` means this data set, which then has a parameter `path`. Look, never read."""
        return False

    @abstractmethod
    def load(self) -> SegmentationData:
        """Read images, masks, class names, ignored classes and groups.

        Raises:
            RequestError: naming a bad source, and why
        """

    def items(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over image (H, W, C) and mask (H, W) of one item after the other, as `load` has them.

        A data set that makes its items overrides this, so that they need not be in memory together.
        """
        data = self.load()
        return zip(data.images, data.masks, strict=True)

    def with_scaling(self, scaling: Scaling) -> Dataset:
        """Give this data set with its values read as `scaling` says: what a network trained on such is shown.

        It is for such numbers alone, and where the data set is not told otherwise. One whose values are always 0…255 is
        itself.
        """
        return self

    def unlabelled(self) -> np.ndarray | None:
        """Read images without labels (M, H, W, C) uint8, for prediction; None where the source has none."""
        return None
