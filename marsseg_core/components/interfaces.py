"""The interfaces of marsseg: one class for each kind of component.

A component is a frozen dataclass. Its fields are its parameters (`marsseg_core.registry.parameters.param`), and the
first line of its docstring is its summary. `marsseg list`, `marsseg show` and the checks of a plan import the module of
a component. So the module must import Keras only inside the methods that build something: a wrong parameter is then
reported at once, and not after the seconds that the import of Keras takes.

Shapes: B images with H rows, W columns and C channels; K classes. Labels are integers. The label 255 is void: it is
never a class, and every loss and metric ignores it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..conventions import LossFunction, TargetFunction, Transform
from ..registry import kinds
from ..registry.kinds import Kind
from ..registry.parameters import NONE_WORD
from .exports import FLOAT32, ExportSpec
from .semi_specs import LabellingSpec, SemiSpec, Views
from .specs import (
    BottleneckSpec,
    EncoderSpec,
    LossSpec,
    MetricSpec,
    OptimizerSpec,
    ScheduleSpec,
    WeightingSpec,
    no_run,
)
from .tasks import ExecutorSpec, Workers

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ..data.arrays import SegmentationData
    from ..data.scaling import Scaling
    from ..data.warps import Warp, WarpTransform
    from .semi_layer import SemiLayer
    from .weighting_layer import WeightingLayer


class Component(ABC):
    """Define a part of a run that is chosen by name; the fields of its frozen dataclass are its parameters.

    This is the common base class of all interfaces. Do not derive from it directly, but from the interface of a kind,
    such as `Loss`.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyLoss(Loss):
            '''My loss: one line that says what it does.'''

            power: float = param(0.5, help="the exponent", above=0)

            def build(self, spec): ...
        ```
    """

    kind: ClassVar[Kind]
    """The kind of the component. Each interface sets it."""

    layer_modules: ClassVar[tuple[str, ...]] = ()
    """The modules that define the custom Keras layers of the models that this component builds.

    marsseg imports them before it reads a saved model, because Keras finds a custom layer by its registered name only
    after the module of the layer was imported.
    """

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        """Return the kind and the text of each composition among the parameters, for a component made of components.

        A composition is a text such as `transformer,aspp:rates=6`. The compositions are checked together with the
        plan, and the layer modules of their components are imported when a model is loaded.

        Returns:
            A pair (kind, composition text) for each composition; empty for most components.
        """
        return ()

    def without_effect(self) -> dict[str, str]:
        """Return the parameters that have no effect with the present value of another parameter.

        marsseg says so before a run, for those that do not have their default.

        Returns:
            For each of these parameters the name of the other one, such as {"nesterov": "momentum"}; empty for most
            components.
        """
        return {}


def _compose_without_catalog(text: str) -> tuple[Bottleneck, ...]:
    """Return no bottlenecks for the text "none"; raise ValueError for any other text, as there is no catalog here."""
    if text != NONE_WORD:
        raise ValueError(f"'{text}' cannot be resolved: this NetworkSpec was made without a catalog")
    return ()


def _no_architecture(text: str) -> Architecture:
    raise ValueError(f"'{text}' cannot be resolved: this NetworkSpec was made without a catalog")


@dataclass(frozen=True)
class NetworkSpec:
    """Describe the network that an architecture builds: its input size and channels, and its number of classes.

    Attributes:
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        channels: Channels of an image: 1 for grey, 3 for colour, or any other number.
        num_classes: K, the number of classes, including the ignored ones. The network has K logits.
        bottlenecks: The bottlenecks of the plan, in order. `bottleneck` adds them to the network.
        encoder: The encoder of the plan, or None. `encode` adds it to the network.
        compose: A function that resolves a composition text, such as "transformer,aspp", to bottlenecks. It is for an
            architecture that takes bottlenecks in its own parameters.
        compose_architecture: A function that resolves a composition text, such as "unet:width=0.25", to an
            architecture. It is for an architecture that contains another one.
        open_run: A function from the path of a finished run to its network, as a frozen layer from images to logits. It
            is for an architecture that derives from `UsesRuns`.
    """

    height: int
    width: int
    channels: int
    num_classes: int
    bottlenecks: tuple[Bottleneck, ...] = ()
    compose: Callable[[str], tuple[Bottleneck, ...]] = field(
        default=_compose_without_catalog, repr=False, compare=False
    )
    encoder: Encoder | None = None
    compose_architecture: Callable[[str], Architecture] = field(default=_no_architecture, repr=False, compare=False)
    open_run: Callable[[str], Any] = field(default=no_run, repr=False, compare=False)

    def encode(self, images: Any, output_stride: int = 32) -> dict[int, Any]:
        """Apply the encoder of the plan to the images.

        Args:
            images: The images in [0, 1], (B, H, W, C). H and W are multiples of 32.
            output_stride: The stride of the last map, 8, 16 or 32, unless the plan sets another one.

        Returns:
            The feature maps (B, H / stride, W / stride, c) by their strides, finest first.

        Raises:
            ValueError: The plan has no encoder.
        """
        if self.encoder is None:
            raise ValueError("it needs an encoder, and this network has none")
        return self.encoder.build(images, EncoderSpec(output_stride))

    def bottleneck(self, features: Any) -> Any:
        """Apply the bottlenecks of the plan, first to last, to a feature map.

        Args:
            features: The coarsest feature map of the network, (B, h, w, c).

        Returns:
            A feature map (B, h, w, c'); `features` itself where the plan has no bottleneck.
        """
        return self.chain(features, self.bottlenecks)

    def chain(self, features: Any, bottlenecks: Sequence[Bottleneck], prefix: str = "") -> Any:
        """Apply any bottlenecks, first to last, to a feature map.

        Args:
            features: A feature map, (B, h, w, c).
            bottlenecks: The bottlenecks, such as those that `compose` returns.
            prefix: The beginning of the names of their layers. If a network has several chains, give each one its own
                prefix.

        Returns:
            A feature map (B, h, w, c').
        """
        for position, component in enumerate(bottlenecks, start=1):
            spec = BottleneckSpec(self.num_classes, prefix=f"{prefix}bottleneck{position}_")
            features = component.build(features, spec)
        return features


class Architecture(Component):
    """Build a network that maps images to logits."""

    kind = kinds.ARCHITECTURE

    takes_bottleneck: ClassVar[bool] = True
    """Whether the network has a place for bottlenecks: it calls `spec.bottleneck` on its coarsest feature map.

    Where it is False, marsseg refuses `--bottleneck` before it builds anything.
    """

    takes_encoder: ClassVar[bool] = False
    """Whether the network has a place for an encoder: it calls `spec.encode` on the images if `spec.encoder` is there.

    Where it is False, marsseg refuses `--encoder` before it builds anything.
    """

    needs_encoder: ClassVar[bool] = False
    """Whether the network cannot be built without an encoder."""

    of_own_encoder: ClassVar[tuple[str, ...]] = ()
    """The parameters of the architecture's own encoder. With another one they have no effect, which marsseg says."""

    @abstractmethod
    def build(self, spec: NetworkSpec) -> keras.Model:
        """Build a functional Keras model from images to logits.

        A model with auxiliary heads returns a dictionary of outputs. "logits" is the output that is scored, and the
        only one in the saved model. "aux_2", "aux_3", … are further logits of the same shape, in order of decreasing
        importance. "presence" (B, K) has, for each class, the logit of the class being anywhere in the image. All
        outputs are float32.

        Args:
            spec: The size and channels of the images, the number of classes and the bottlenecks.

        Returns:
            A model from images (B, H, W, C) float32 in [0, 1] to **logits** (B, H, W, K) float32.

        Raises:
            ValueError: The parameters do not fit the size of the images. marsseg shows its text to the user.
        """


class Encoder(Component):
    """Turn images into feature maps of several sizes."""

    kind = kinds.ENCODER

    published_weights: ClassVar[tuple[str, ...]] = ()
    """The names of the weights that `published` returns, such as "imagenet"."""

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        """Return published weights, for images of three channels.

        This may download a file, or read one that an installed distribution brings.

        Args:
            name: One of `published_weights`.

        Returns:
            The value of each variable by the name of its layer without `spec.prefix`, a slash and the name of the
                variable, as in "stem_conv/kernel". It includes moving statistics.

        Raises:
            RequestError: The weights cannot be had; the error says how to bring them.
        """
        raise NotImplementedError(f"{type(self).__name__} sets published_weights, but has no method `published`")

    @abstractmethod
    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        """Apply the layers of the encoder to images.

        The encoder scales the images itself, as its weights need them.

        Args:
            images: A Keras tensor (B, H, W, C) float32 in [0, 1]. H and W are multiples of 32, C is any number.
            spec: The stride of the last map, and the prefix that the names of all layers must begin with.

        Returns:
            Keras tensors (B, H / stride, W / stride, c) by their strides, finest first. The strides are powers of 2 up
                to `spec.output_stride`; the finest is 1, 2 or 4.
        """


class Bottleneck(Component):
    """Transform the coarsest feature map of a network."""

    kind = kinds.BOTTLENECK

    @abstractmethod
    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        """Apply the layers of the bottleneck to a feature map.

        Args:
            features: A Keras tensor, (B, h, w, c).
            spec: The number of classes, and the prefix that the names of the layers must begin with.

        Returns:
            A Keras tensor (B, h, w, c') of the same height and width, with any number of channels.
        """


class Loss(Component):
    """Measure how wrong the logits are, as a number to minimise."""

    kind = kinds.LOSS

    wants_images: ClassVar[bool] = False
    """Whether the loss function also takes the images, as the keyword argument `images`, (B, H, W, C) in [0, 1].

    They are those that the network gets, after augmentation.
    """

    @property
    def may_be_negative(self) -> bool:
        """Return whether the loss can be below 0.

        If it can, marsseg refuses it together with a weighting that takes ratios or logarithms of losses.
        """
        return False

    @abstractmethod
    def build(self, spec: LossSpec) -> LossFunction:
        """Build the loss function.

        The value of the function must be finite for any labels. Its gradient must be exactly 0 at pixels that are void
        (255) or of an ignored class. If `targets` returns a function, the loss function is called with (labels, logits,
        targets). If `wants_images` is True, it is also called with `images=`.

        Args:
            spec: The number of classes, the ignored classes and the class frequencies of the data.

        Returns:
            A function of labels (B, H, W) integers and logits (B, H, W, K) float32 that returns a scalar.
        """

    def targets(self, spec: LossSpec) -> TargetFunction | None:
        """Return a function that computes additional targets from the masks, such as distances to boundaries.

        The input pipeline calls it with each batch of masks, after augmentation.

        Args:
            spec: The number of classes, the ignored classes and the class frequencies of the data.

        Returns:
            A function from NumPy masks (B, H, W) uint8 to an array (B, …); None if the loss needs only labels and
                logits.
        """
        return None


class Weighting(Component):
    """Combine several losses into the one objective that is minimised."""

    kind = kinds.WEIGHTING

    moves: ClassVar[bool] = True
    """Whether the weights of the losses change during a training."""

    @property
    def needs_nonnegative(self) -> bool:
        """Return whether no loss may be negative, because the rule takes ratios or logarithms of the losses."""
        return False

    def check(self, spec: WeightingSpec) -> None:
        """Check that the parameters fit the losses.

        marsseg calls this for each plan, before it imports Keras.

        Args:
            spec: The names and the weights of the losses.

        Raises:
            ValueError: The parameters do not fit, such as three values for two losses.
        """

    @abstractmethod
    def build(self, spec: WeightingSpec) -> WeightingLayer:
        """Build the layer that maps the vector of losses (n,) to the scalar objective.

        The layer is part of the model that is trained. So its weights, whether they are trained or set by its rule,
        are in the checkpoint.

        Args:
            spec: The names and the weights of the losses.

        Returns:
            A new, unbuilt `WeightingLayer`.

        Raises:
            ValueError: The parameters do not fit these losses.
        """


class Method(Component):
    """Let images without labels help to train a network, by a term of the objective: a semi-supervised method.

    For each training step, the input pipeline prepares a batch of images without labels in two views, a weak and a
    strong one. The layer that `build` returns computes a term from them. marsseg multiplies it by the factor `weight`,
    which rises over `ramp` epochs, and adds it to the losses of the labelled batch.
    """

    kind = kinds.METHOD

    @property
    @abstractmethod
    def views(self) -> Views:
        """Return the views that the input pipeline prepares."""

    @abstractmethod
    def build(self, spec: SemiSpec) -> SemiLayer:
        """Build the layer that computes the term of the objective.

        The layer is part of the model that is trained, so its weights (such as a teacher's) are in the checkpoint.

        Args:
            spec: The number of classes, the ignored classes, and the length of the training.

        Returns:
            A new, unbuilt `SemiLayer`.
        """

    @property
    def labelling_rounds(self) -> int:
        """Return how often `label` is called: before the training, and at the start of each further round.

        The epochs are divided into so many equal rounds.
        """
        return 1

    def check(self, epochs: int) -> None:
        """Check that the parameters fit the length of the training: by default, that the rounds are equally long.

        marsseg calls this for each plan, before it imports Keras.

        Args:
            epochs: The number of epochs.

        Raises:
            ValueError: The parameters do not fit.
        """
        if epochs % self.labelling_rounds:
            raise ValueError(f"{epochs} epochs cannot be divided into {self.labelling_rounds} equal rounds")

    def label(self, spec: LabellingSpec) -> np.ndarray | None:
        """Label the images before the training, and again at the start of each further round.

        The labels are stored in the run folder, so that a resumed run reads them. The input pipeline moves them
        together with the images. The labels of all rounds have the same shape. While all of them are void, the term is
        not computed.

        Args:
            spec: The images, the classes, a function that predicts with finished runs, and the round.

        Returns:
            None if the method labels nothing, as most do. Otherwise an array of uint8: (M, H, W) of class ids and void
            (255), or (M, H, W, K) of probabilities × 255, where a pixel of zeros is void.
        """
        return None

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        """Return the augmentations of the views."""
        return (kinds.AUGMENTATION, self.views.weak), (kinds.AUGMENTATION, self.views.strong)


class Schedule(Component):
    """Change the learning rate during a training."""

    kind = kinds.SCHEDULE

    def check(self, epochs: int) -> None:
        """Check that the parameters fit the number of epochs.

        marsseg calls this for each plan, before it imports Keras.

        Args:
            epochs: The length of the training.

        Raises:
            ValueError: The parameters do not fit, such as a warm-up that is longer than the training.
        """

    @abstractmethod
    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback:
        """Build a Keras learning-rate schedule or a Keras callback.

        Args:
            spec: The initial learning rate, and the epochs and steps of the training.

        Returns:
            A new object each time: a `LearningRateSchedule` if the rate depends on the step alone, or a `Callback`
                that sets the rate of the optimizer if it depends on the scores of the epochs.
        """


class Optimizer(Component):
    """Update the weights of the network from their gradients."""

    kind = kinds.OPTIMIZER

    @abstractmethod
    def build(self, spec: OptimizerSpec) -> keras.optimizers.Optimizer:
        """Build a Keras optimizer.

        Args:
            spec: The arguments that the plan sets for every optimizer, to pass on to Keras.

        Returns:
            A new optimizer each time.

        Raises:
            ValueError: The parameters do not fit the arguments of `spec`.
        """


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


class Augmentation(Component):
    """Change training images and their masks together, at random.

    Define one of the methods `warp` (it moves pixels), `apply` (it changes a batch) and `prepare` (it needs the data).
    """

    kind = kinds.AUGMENTATION

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        """Draw where the pixels of one new image come from.

        marsseg moves the pixels: it interpolates the image and never the labels, and what comes from outside the
        image becomes void. Warps that follow each other in a run are joined, so that an image is interpolated once.

        Args:
            height: The number of rows of the image.
            width: The number of columns of the image.
            generator: The random generator of the image. Use no other source of randomness.

        Returns:
            The warp of the image.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `warp`")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a batch of images and masks, and return arrays of the same shapes.

        Image and mask are moved by the same transformation. Labels are never interpolated. Pixels that come from
        outside the image become void. If the augmentation only moves pixels, define `warp` instead.

        Args:
            images: (B, H, W, C) float32 in [0, 1]. The array may be changed in place.
            masks: (B, H, W) uint8. The array may be changed in place.
            generators: One random generator for each image. Use no other source of randomness: then the change of an
                image depends only on the seed, the epoch and the image.

        Returns:
            The images and the masks.
        """
        if type(self).warp is Augmentation.warp:
            raise NotImplementedError(f"{type(self).__name__} has no method `warp`, `apply` or `prepare`")
        return self._warp_transform()(images, masks, generators)

    def _warp_transform(self) -> WarpTransform:
        """Return the transform that draws the warp of each image of a batch."""
        from ..data.warps import WarpTransform

        return WarpTransform(lambda height, width, generators: [self.warp(height, width, each) for each in generators])

    def prepare(self, data: SegmentationData, items: np.ndarray) -> Transform:
        """Return the function that is applied in one training; by default one that does what `warp` or `apply` says.

        Override this method if the augmentation inserts parts of other images. It must take them from `items` only:
        the other subsets of the data must stay unseen. It is called once in each process that prepares batches, so the
        function must depend on the arguments only.

        Args:
            data: The whole data set.
            items: The indices of the training subset.

        Returns:
            A function with the arguments and the result of `apply`.
        """
        if type(self).apply is Augmentation.apply and type(self).warp is not Augmentation.warp:
            return self._warp_transform()
        return self.apply


class Dataset(Component):
    """Read labelled images."""

    kind = kinds.DATASET

    generic: ClassVar[bool] = False
    """Whether it reads folders or files of any source: other data sets that recognise a path come before it."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether `--data PATH` means this data set. If so, it must have a parameter `path`.

        It is called for every path, so look only at the names and kinds of files and folders; do not read them.

        Args:
            path: The path of a file or a folder, which may not exist.
        """
        return False

    @classmethod
    def explain(cls, path: Path) -> str:
        """Return what this data set looks for, and what it found instead, for the error about a path.

        It is called only if no data set recognises the path. Look only at the names of files and folders.

        Args:
            path: The path of a file or a folder, which exists.

        Returns:
            One or more sentences, what was found first; an empty text if there is nothing to say. What is looked for
            may be a list: a sentence that ends with a colon, then lines that begin with "- ".
        """
        return ""

    def preparation(self) -> str:
        """Return how images become items, for whoever uses a network that was trained on them.

        A network knows images of this kind only, so a model card says it. Read no file.

        Returns:
            What is done, such as "images are cut into tiles of 64×128 pixels"; an empty text if they stay as they are.
        """
        return ""

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """Bring an image of any size to the scale of the items, as before it becomes one or several of them.

        `marsseg predict` does so with image files, and predicts the result in tiles.

        Args:
            image: (H, W, C) uint8.

        Returns:
            (H', W', C) uint8; the image itself if its scale stays as it is.
        """
        return image

    @abstractmethod
    def load(self) -> SegmentationData:
        """Read images, masks, class names, ignored classes and groups.

        Returns:
            The data, which may be memory-mapped.

        Raises:
            RequestError: A source cannot be used. The error names it and says why.
        """

    def items(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the image (H, W, C) and the mask (H, W) of one item after the other, equal to those of `load`.

        Override this method in a data set that generates its items, so that they need not be in memory together.
        """
        data = self.load()
        return zip(data.images, data.masks, strict=True)

    def with_scaling(self, scaling: Scaling) -> Dataset:
        """Return this data set with the scaling that a run has recorded, so that its network sees values alike.

        The scaling replaces only a range that marsseg would find from the data: a range that the user set stays, and
        so do values of a type that `scaling` is not for.

        Args:
            scaling: How the values of the run's own data became 0…255.

        Returns:
            A copy; the data set itself if its values are always 0…255.
        """
        return self

    def unlabelled(self) -> np.ndarray | None:
        """Read the images without labels, for prediction and semi-supervised training.

        Returns:
            An array (M, H, W, C) uint8; None if the source has no such images.
        """
        return None


class Executor(Component):
    """Define where tasks are done: in processes of this machine, in a queue or on a cluster.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyQueue(Executor):
            '''Do tasks as jobs of my queue.'''

            partition: str = param("short", help="the partition of the jobs")

            def start(self, spec):
                return MyWorkers(self.partition, spec)
        ```
    """

    kind = kinds.EXECUTOR

    def check(self) -> None:
        """Check that what the executor needs is there. This is called before the folder of a sweep or series is made.

        Raises:
            RequestError: It is not there.
        """

    @abstractmethod
    def start(self, spec: ExecutorSpec) -> Workers:
        """Start workers.

        Args:
            spec: The number of tasks at the same time, and the folder for files of the workers.

        Returns:
            The workers. They may start their processes later, with their first task.

        Raises:
            RequestError: What the executor needs is not there.
        """


class Exporter(Component):
    """Write a network into a form that runs without marsseg, and run this form.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyFormat(Exporter):
            '''My format.'''

            suffix = ".mine"
            modules = ("my_runtime",)
            install = "my-runtime"

            def write(self, spec, path): ...

            def open(self, path): ...

            def metadata(self, path): ...
        ```
    """

    kind = kinds.EXPORTER

    suffix: ClassVar[str] = ""
    """The ending of the file, such as ".onnx"; empty if a folder is written."""

    engine: ClassVar[str] = ""
    """The name of the runtime, for `--engine`; empty if `marsseg predict` cannot use it."""

    modules: ClassVar[tuple[str, ...]] = ()
    """The names of the modules that writing and running need."""

    install: ClassVar[str] = ""
    """What `pip install` installs them by, such as "marsseg[onnx]"."""

    backends: ClassVar[tuple[str, ...]] = ("tensorflow",)
    """The backends of Keras with which it can write."""

    precisions: ClassVar[tuple[str, ...]] = (FLOAT32,)
    """The precisions in which it can write, such as "float16" and "int8". What each one but float32 costs is measured:
    marsseg keeps the file only if the run's `miou` falls by little."""

    @abstractmethod
    def write(self, spec: ExportSpec, path: Path) -> None:
        """Write a network, with its metadata.

        Args:
            spec: The network, and what is known of it.
            path: A new file, or an existing empty folder if the exporter has no `suffix`.
        """

    @abstractmethod
    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        """Load what was written into its own runtime, without Keras where this is possible.

        Args:
            path: The file or folder.

        Returns:
            A function from images (B, H, W, C), of the type that the network takes, to its output.
        """

    @abstractmethod
    def metadata(self, path: Path) -> Mapping[str, Any]:
        """Read the metadata that `write` has stored.

        Args:
            path: The file or folder.

        Returns:
            The metadata, equal to those of the spec.
        """
