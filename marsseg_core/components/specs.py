"""What each kind of component is given of the network, the data and the training it is part of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from ..conventions import VOID
from ..errors import RequestError

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class BottleneckSpec:
    """What a bottleneck knows of the network it sits in; `prefix` begins the names of its layers."""

    num_classes: int
    prefix: str = ""


@dataclass(frozen=True)
class LossSpec:
    """What a loss knows of its data.

    `class_frequencies` counts the pixels of each class in the training part (void left out); it has
    `num_classes` entries. `ignored` lists the classes whose pixels must not count. Both may be given as any row of
    whole numbers, and are tuples.

    Raises RequestError where they do not describe classes, or leave none that counts.
    """

    num_classes: int
    ignored: tuple[int, ...]
    class_frequencies: tuple[int, ...]

    def __post_init__(self) -> None:
        count = self.num_classes
        for name in ("ignored", "class_frequencies"):
            if isinstance(row := getattr(self, name), str | bytes) or not isinstance(row, Iterable):
                raise RequestError(f"{name} is a row of whole numbers, not {row!r}.", where="loss")
        ignored, frequencies = _items(self.ignored), _items(self.class_frequencies)
        if not (_is_whole(count) and 1 <= count <= VOID):
            raise RequestError(f"num_classes is a whole number from 1 to {VOID}, not {count!r}.", where="loss")
        if wrong := [c for c in ignored if not (_is_whole(c) and 0 <= c < count)]:
            raise RequestError(
                f"There is no class {wrong[0]!r} to ignore; the classes are 0 to {count - 1}.",
                where="loss, ignored",
                hint=f"Void, {VOID}, never counts: it need not be ignored." if wrong[0] == VOID else None,
            )
        if len(set(ignored)) == count:
            raise RequestError("All classes are ignored: there is nothing to learn.", where="loss, ignored")
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
        for name, row in (("ignored", ignored), ("class_frequencies", frequencies)):
            object.__setattr__(self, name, tuple(map(int, row)))


def _items(row: Any) -> tuple[Any, ...]:
    """What is in a row, of an array as Python's own numbers."""
    return tuple(row.tolist() if hasattr(row, "tolist") else row)


def _is_whole(number: Any) -> bool:
    """Whether it is a whole number of Python's or NumPy's."""
    return isinstance(number, Integral) and not isinstance(number, bool)


@dataclass(frozen=True)
class WeightingSpec:
    """The losses to be joined: their names in the plan's order, and the weight the plan gives each.

    A loss of weight 0 is not among them: it is logged, and moves no rule.
    """

    losses: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class ScheduleSpec:
    """What a schedule knows of the training: the learning rate it starts from, epochs and steps per epoch.

    `objective_moves` says that the weighting moves what the losses count: the loss of one epoch is then no measure for
    that of another.
    """

    learning_rate: float
    epochs: int
    steps_per_epoch: int
    objective_moves: bool = False
