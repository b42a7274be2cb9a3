"""The options that marsseg itself adds to a plan: for each component of a kind, and in the plan's sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..conventions import HEADLINE
from ..data.cleaning_options import CleaningOptions
from ..data.limits import SIDE_LIMIT
from ..data.split_options import SplitOptions
from ..registry.kinds import Kind
from ..registry.loading import resolve_reference
from ..registry.parameters import param

# The value of `oversample_class` that names no class.
RAREST: Final = "rarest"

# The value of `unlabelled` for the images without labels of the labelled data set itself.
OWN: Final = "own"

# The value of `unlabelled` for these, and for the labelled images that the split puts into no subset.
UNUSED: Final = "unused"

# The values of `unlabelled` that name no other source than the labelled data set.
OF_LABELLED_DATA: Final = (OWN, UNUSED)

# The word in `unlabelled` for the images of the training subset, without their labels.
TRAINING: Final = "training"

ARGMAX: Final = "argmax"
"""Name the value of `training.decoding` that takes the class with the largest logit."""

SHARES: Final = "shares"
"""Name the value of `training.decoding` whose offsets give each class the area that the network expects."""

LAST: Final = "last"
"""Name the value of `training.keep` that stores the network of the last epoch."""


@dataclass(frozen=True)
class EncoderOptions:
    """The options of every encoder, in addition to its own parameters."""

    output_stride: Literal[8, 16, 32] | None = param(
        None, help="factor by which its last map is smaller than the image; none: what the architecture asks for"
    )
    weights: str | None = param(
        None,
        help="initial weights: none (random), published ones by name, such as imagenet, a file that ends in "
        ".weights.h5, .npz or .safetensors, or a run folder",
    )
    weights_hash: str | None = param(None, help="hash that `weights` must have; recorded automatically")
    # Whole numbers come first: "1" is one epoch, and not true.
    freeze: int | bool = param(
        False, help="keep its weights unchanged: true, or the number of first epochs", minimum=1, maximum=1_000_000
    )
    learning_rate_factor: float = param(1.0, help="its learning rate, as a share of the network's", above=0, maximum=1)
    statistics: Literal["train", "frozen"] = param(
        "train", help="statistics of its batch normalisation: those of each batch, or always the initial ones"
    )

    def __post_init__(self) -> None:
        if self.weights_hash is not None and self.weights is None:
            raise ValueError("weights_hash needs weights")

    @property
    def trained_apart(self) -> bool:
        """Return whether the encoder is trained differently from the rest of the network."""
        return self.freeze is not False or self.learning_rate_factor != 1 or self.statistics != "train"

    def never_trained(self, epochs: int) -> bool:
        """Return whether the encoder's weights stay unchanged in a training of this many epochs."""
        return self.freeze if isinstance(self.freeze, bool) else self.freeze >= epochs


@dataclass(frozen=True)
class LossOptions:
    """The options of every loss, in addition to its own parameters."""

    weight: float = param(1.0, help="factor of this loss in the total loss", minimum=0)


@dataclass(frozen=True)
class AugmentationOptions:
    """The options of every augmentation, in addition to its own parameters."""

    p: float = param(0.5, help="probability with which an image is changed", minimum=0, maximum=1)


@dataclass(frozen=True)
class OptimizerOptions:
    """The options of every optimizer, in addition to its own parameters."""

    clipnorm: float | None = param(None, help="largest norm of the gradient of each weight tensor", above=0)
    clipvalue: float | None = param(None, help="largest absolute value in a gradient", above=0)
    global_clipnorm: float | None = param(None, help="largest norm of all gradients together", above=0)
    gradient_accumulation_steps: int | None = param(
        None, help="batches whose gradients are averaged before a step", minimum=2, maximum=1_000_000
    )

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise ValueError("clipnorm, clipvalue and global_clipnorm exclude each other")


@dataclass(frozen=True)
class SemiOptions:
    """The options of every semi-supervised method, in addition to its own parameters."""

    weight: float = param(1.0, help="factor of its term in the objective, after the ramp", minimum=0)
    ramp: float = param(
        0.0, help="epochs in which the factor rises from nearly 0 to `weight`; 0: it is constant", minimum=0
    )
    batch: int | None = param(
        None, help="images without labels per step; none: `training.batch`", minimum=1, maximum=65_536
    )
    transductive: bool = param(
        False, help="also use images that are in the validation or test subset; metrics, tables and report say so"
    )


@dataclass(frozen=True)
class NoOptions:
    """The options of the kinds to which marsseg adds none."""


Options: TypeAlias = EncoderOptions | LossOptions | AugmentationOptions | OptimizerOptions | SemiOptions | NoOptions


def options_of(kind: Kind) -> type[Options]:
    """Return the dataclass of the options that marsseg adds to every component of a kind."""
    return resolve_reference(kind.core_parameters) if kind.core_parameters else NoOptions


@dataclass(frozen=True)
class TrainingOptions:
    """The options of the plan's section `training`."""

    epochs: int = param(7, help="passes over the training subset", minimum=1, maximum=1_000_000)
    batch: int = param(8, help="images per step", minimum=1, maximum=65_536)
    learning_rate: float = param(1e-3, help="the learning rate at the start", above=0)
    weight_decay: float | None = param(
        None, help="decoupled weight decay; none: the optimizer's own (AdamW: 0.004)", minimum=0
    )
    averaging: Literal["none", "ema", "swa"] = param(
        "none", help="score and save averaged weights: exponentially over the steps, or equally over the last epochs"
    )
    ema_momentum: float = param(0.99, help="ema: factor of the old average in each step", above=0, maximum=0.99999)
    swa_start: float = param(0.5, help="swa: share of the epochs after which the average begins", minimum=0, maximum=1)
    oversample: float = param(
        1.0,
        help="draw images with the class of `oversample_class` this many times as often",
        minimum=1,
        maximum=10_000,
    )
    oversample_class: str = param(
        RAREST, help="name of the class that `oversample` and `crop_focus` favour; rarest: that in the fewest images"
    )
    learn_ignored: bool = param(False, help="count ignored classes in the losses; scores never count them")
    head_weights: tuple[float, ...] | None = param(
        None,
        help="loss weights of the auxiliary heads, the main head has 1; none: 1/2, 1/4, 1/8, …",
        minimum=0,
        min_length=1,
    )
    seed: int = param(
        0, help="random seed of initial weights, dropout, image order and augmentations", minimum=0, maximum=2**32 - 1
    )
    patience: int | None = param(
        None, help="stop after this many epochs without a better `monitor`", minimum=1, maximum=1_000_000
    )
    monitor: str = param(
        f"val_{HEADLINE}",
        help="metric for the best network and for early stopping; loss or val_loss: for early stopping only",
    )
    keep: Literal["best", "last"] = param(
        "best", help="the network to store: that of the best epoch by `monitor`, or that of the last epoch"
    )
    metrics: str = param("none", help="more metrics to compute and show, as in boundary_iou,boundary_f:tolerance=2")
    decoding: Literal["argmax", "offsets", "shares"] = param(
        ARGMAX,
        help="how logits become classes; offsets: each class gets an offset that raises the score of the validation "
        "subset; shares: one that gives it the area which the network expects",
    )
    tta: bool = param(
        False, help="score and predict with test-time augmentation: the average over each image and its flipped copies"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = param(
        "float32",
        help="dtype policy of the network; losses and scores stay float32; auto: mixed_bfloat16 where the run's "
        "machine has it, else float32",
    )
    precision_from: Literal["auto"] | None = param(
        None, help="auto if the run chose its `precision` when it began; recorded automatically"
    )
    workers: int = param(
        1, help="threads or processes that prepare batches; results do not depend on it", minimum=1, maximum=256
    )
    worker_kind: Literal["auto", "threads", "processes"] = param(
        "auto",
        help="what prepares batches; auto: processes where batches take long and processors are free, else threads",
    )
    devices: int | Literal["all"] | None = param(
        None,
        help="devices of each process that share each batch; with a number or all, the last batch of an epoch is "
        "filled, so that each image counts once; none: one device, and an incomplete batch is dropped",
        minimum=1,
        maximum=65_536,
    )
    deterministic: bool = param(True, help="ask the backend for repeatable kernels (slower on a GPU)")
    score_training: bool = param(False, help="also score the training subset after each epoch")
    crop: tuple[int, ...] | None = param(
        None,
        help="train on a window of this many rows and columns of each image, drawn anew in each epoch; images are "
        "scored in tiles of this size",
        minimum=1,
        maximum=SIDE_LIMIT,
        min_length=2,
    )
    crop_focus: float = param(
        0.0,
        help="probability that the window of `crop` is drawn around a pixel of the class of `oversample_class`",
        minimum=0,
        maximum=1,
    )
    unlabelled: str = param(
        OWN,
        help="images without labels for --semi: a data set or a path, whose labels, if it has any, are not used; own: "
        "those of the data set itself; unused: these, and its labelled images that are in no subset; training, alone "
        "or after a comma: those of the training subset",
    )
    init: str | None = param(
        None, help="run folder or pack whose network gives the initial weights, where shapes match"
    )
    init_hash: str | None = param(None, help="hash that the network file of `init` must have; recorded automatically")

    def __post_init__(self) -> None:
        if self.crop is not None and len(self.crop) != 2:
            raise ValueError("crop must be two numbers, rows and columns")
        if self.crop_focus and self.crop is None:
            raise ValueError("crop_focus needs crop")
        if self.init_hash is not None and self.init is None:
            raise ValueError("init_hash needs init")


SECTIONS: Final[Mapping[str, type[CleaningOptions | SplitOptions | TrainingOptions]]] = {
    "cleaning": CleaningOptions,
    "split": SplitOptions,
    "training": TrainingOptions,
}
