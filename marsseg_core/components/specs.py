"""The specs: what marsseg passes to each kind of component when it builds.

A spec describes the network, the data or the training that the component is part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Final

from ..conventions import HEADLINE, VOID
from ..errors import RequestError

ENCODER_PREFIX: Final = "encoder_"  # the names of all layers of a plan's encoder begin with it


@dataclass(frozen=True)
class EncoderSpec:
    """Describe the network to an encoder.

    Attributes:
        output_stride: The stride of the last map: 8, 16 or 32. An encoder whose own last stride is larger keeps the
            size of its maps from there on, and dilates the convolutions that follow.
        prefix: The prefix for the names of the encoder's layers. By it, marsseg finds them in the network.
    """

    output_stride: int = 32
    prefix: str = ENCODER_PREFIX


@dataclass(frozen=True)
class BottleneckSpec:
    """Describe the network to a bottleneck.

    Attributes:
        num_classes: K, the number of classes, including the ignored ones.
        prefix: The prefix for the names of the bottleneck's layers. It makes them unique in the network.
    """

    num_classes: int
    prefix: str = ""


def no_run(path: str) -> Any:
    """Raise ValueError, in place of opening a run, where a spec was made without a plan."""
    raise ValueError(f"the run {path} cannot be opened: this spec was made without a plan")


@dataclass(frozen=True)
class LossSpec:
    """Describe the data to a loss.

    `ignore_classes` and `class_frequencies` can be passed as any sequence of integers, such as a list or an array.
    They are stored as tuples.

    Attributes:
        num_classes: K, the number of classes, from 1 to 255.
        ignore_classes: The classes whose pixels must not count in the loss. Void pixels never count.
        class_frequencies: (K,) the number of pixels of each class in the training subset, without void pixels.
        open_run: A function from the path of a finished run to its network, as a frozen layer from images to logits. It
            is for a loss that derives from `UsesRuns`.

    Raises:
        RequestError: A value does not describe classes, or all classes are ignored.
    """

    num_classes: int
    ignore_classes: tuple[int, ...]
    class_frequencies: tuple[int, ...]
    open_run: Callable[[str], Any] = field(default=no_run, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = self.num_classes
        for name in ("ignore_classes", "class_frequencies"):
            if isinstance(row := getattr(self, name), str | bytes) or not isinstance(row, Iterable):
                raise RequestError(f"{name} must be a sequence of whole numbers, not {row!r}.", where="loss")
        ignore_classes, frequencies = _items(self.ignore_classes), _items(self.class_frequencies)
        if not (_is_integer(count) and 1 <= count <= VOID):
            raise RequestError(f"num_classes must be a whole number from 1 to {VOID}, not {count!r}.", where="loss")
        if wrong := [c for c in ignore_classes if not (_is_integer(c) and 0 <= c < count)]:
            raise RequestError(
                f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {count - 1}.",
                where="loss, ignore_classes",
                hint=f"Leave {VOID}, void, out: void pixels never count." if wrong[0] == VOID else None,
            )
        if len(set(ignore_classes)) == count:
            raise RequestError("All classes are ignored: there is nothing to learn.", where="loss, ignore_classes")
        if len(frequencies) != count:
            raise RequestError(
                f"{len(frequencies)} class frequencies do not fit {count} classes.",
                where="loss, class_frequencies",
                hint="Pass one frequency for each class, including the ignored ones.",
            )
        if wrong := [n for n in frequencies if not (_is_integer(n) and n >= 0)]:
            raise RequestError(
                f"A class frequency is {wrong[0]!r}, but it must be a number of pixels: a whole number of at least 0.",
                where="loss, class_frequencies",
            )
        for name, row in (("ignore_classes", ignore_classes), ("class_frequencies", frequencies)):
            object.__setattr__(self, name, tuple(map(int, row)))


def _items(row: Any) -> tuple[Any, ...]:
    """Return the items of a sequence as a tuple; those of an array as Python numbers."""
    return tuple(row.tolist() if hasattr(row, "tolist") else row)


def _is_integer(number: Any) -> bool:
    """Return whether a value is an integer of Python or NumPy; a bool is not."""
    return isinstance(number, Integral) and not isinstance(number, bool)


@dataclass(frozen=True)
class WeightingSpec:
    """Describe the losses to the weighting that combines them.

    A loss that has the weight 0 in the plan is not among them: it is only logged.

    Attributes:
        losses: (n,) the names of the losses, in the order of the plan.
        weights: (n,) the weight of each loss in the plan, above 0.
    """

    losses: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class MetricSpec:
    """Describe the classes of the data to a metric.

    Attributes:
        num_classes: K, the number of classes, including the ignored ones.
        ignore_classes: The classes whose pixels must not count.
    """

    num_classes: int
    ignore_classes: tuple[int, ...] = ()

    @property
    def counted(self) -> list[int]:
        """Return the classes that are not ignored, in ascending order."""
        return [c for c in range(self.num_classes) if c not in self.ignore_classes]


def _rises(column: str) -> bool:
    """Return whether a higher value is better, judged by the name of the column alone."""
    return "loss" not in column


@dataclass(frozen=True)
class ScheduleSpec:
    """Describe the training to a schedule.

    Attributes:
        learning_rate: The learning rate of the plan, from which the schedule starts.
        epochs: The number of epochs.
        steps_per_epoch: The number of steps, that is batches, in each epoch.
        objective_changes: Whether the weighting changes the weights of the losses during the training. If so, do not
            compare the objectives of two epochs with each other.
        best_by: The column of the history by which the best checkpoint is chosen.
        rises: A function that returns, for the name of a column of the history, whether a higher value is better.
    """

    learning_rate: float
    epochs: int
    steps_per_epoch: int
    objective_changes: bool = False
    best_by: str = f"val_{HEADLINE}"
    rises: Callable[[str], bool] = field(default=_rises, repr=False, compare=False)


@dataclass(frozen=True)
class OptimizerSpec:
    """Describe to an optimizer the arguments that the plan sets, beside the optimizer's own parameters.

    Attributes:
        arguments: Arguments of `keras.optimizers.Optimizer`: always `learning_rate` (a number or a Keras schedule);
            and, where the plan sets them, those of clipping, accumulation, `weight_decay`, `use_ema` and so on. Pass
            all of them on, as in `keras.optimizers.SGD(**spec.arguments)`.
    """

    arguments: Mapping[str, Any]
