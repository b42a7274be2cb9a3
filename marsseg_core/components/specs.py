"""What each kind of component is given of the network, the data and the training it is part of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from ..conventions import HEADLINE, VOID
from ..errors import RequestError


@dataclass(frozen=True)
class BottleneckSpec:
    """Tell a bottleneck of the network it sits in.

    Attributes:
        num_classes: K, the classes, those that are ignored included
        prefix: begins the names of its layers
    """

    num_classes: int
    prefix: str = ""


@dataclass(frozen=True)
class LossSpec:
    """Tell a loss of its data.

    Attributes:
        num_classes: K, from 1 to 255
        ignore_classes: the classes whose pixels must not count, beside void
        class_frequencies: (K,) the pixels of each class in the training subset, void left out

    The last two may be given as any row of whole numbers, and are tuples.

    Raises:
        RequestError: where they do not describe classes, or leave none that counts
    """

    num_classes: int
    ignore_classes: tuple[int, ...]
    class_frequencies: tuple[int, ...]

    def __post_init__(self) -> None:
        count = self.num_classes
        for name in ("ignore_classes", "class_frequencies"):
            if isinstance(row := getattr(self, name), str | bytes) or not isinstance(row, Iterable):
                raise RequestError(f"{name} is a row of whole numbers, not {row!r}.", where="loss")
        ignore_classes, frequencies = _items(self.ignore_classes), _items(self.class_frequencies)
        if not (_is_whole(count) and 1 <= count <= VOID):
            raise RequestError(f"num_classes is a whole number from 1 to {VOID}, not {count!r}.", where="loss")
        if wrong := [c for c in ignore_classes if not (_is_whole(c) and 0 <= c < count)]:
            raise RequestError(
                f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {count - 1}.",
                where="loss, ignore_classes",
                hint=f"Void, {VOID}, never counts: it need not be ignored." if wrong[0] == VOID else None,
            )
        if len(set(ignore_classes)) == count:
            raise RequestError("All classes are ignored: there is nothing to learn.", where="loss, ignore_classes")
        if len(frequencies) != count:
            raise RequestError(
                f"{len(frequencies)} class frequencies do not fit {count} classes.",
                where="loss, class_frequencies",
                hint="There is one for each class, the ignored ones included.",
            )
        if wrong := [n for n in frequencies if not (_is_whole(n) and n >= 0)]:
            raise RequestError(
                f"A class frequency is {wrong[0]!r}: they count pixels, as whole numbers from 0 up.",
                where="loss, class_frequencies",
            )
        for name, row in (("ignore_classes", ignore_classes), ("class_frequencies", frequencies)):
            object.__setattr__(self, name, tuple(map(int, row)))


def _items(row: Any) -> tuple[Any, ...]:
    """What is in a row, of an array as Python's own numbers."""
    return tuple(row.tolist() if hasattr(row, "tolist") else row)


def _is_whole(number: Any) -> bool:
    """Whether it is a whole number of Python's or NumPy's."""
    return isinstance(number, Integral) and not isinstance(number, bool)


@dataclass(frozen=True)
class WeightingSpec:
    """Tell a weighting which losses it joins. One of weight 0 is not among them: it is logged, and moves no rule.

    Attributes:
        losses: (n,) their names, in the plan's order
        weights: (n,) what the plan gives each
    """

    losses: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class MetricSpec:
    """Tell a metric of its data: the number of classes, and which of them do not count."""

    num_classes: int
    ignore_classes: tuple[int, ...] = ()

    @property
    def counted(self) -> list[int]:
        """The classes that count."""
        return [c for c in range(self.num_classes) if c not in self.ignore_classes]


def _rises(column: str) -> bool:
    return "loss" not in column


@dataclass(frozen=True)
class ScheduleSpec:
    """Tell a schedule of the training.

    Attributes:
        learning_rate: what it starts from
        epochs: how long it is
        steps_per_epoch: batches in each
        objective_moves: whether the weighting moves what the losses count: the loss of one epoch is then no measure for
            that of another
        best_by: the column of the history by which the best network is kept
        rises: says of a column whether more of it is better
    """

    learning_rate: float
    epochs: int
    steps_per_epoch: int
    objective_moves: bool = False
    best_by: str = f"val_{HEADLINE}"
    rises: Callable[[str], bool] = field(default=_rises, repr=False, compare=False)


@dataclass(frozen=True)
class OptimizerSpec:
    """Tell an optimizer what it is to do besides its own parameters.

    Attributes:
        arguments: arguments of `keras.optimizers.Optimizer`: `learning_rate` (a number or a Keras schedule), the
            clipping and accumulation that the plan asks for, and `weight_decay`, `use_ema`, … where it asks for them.
            Pass them all on, as in `keras.optimizers.SGD(**spec.arguments)`.
    """

    arguments: Mapping[str, Any]
