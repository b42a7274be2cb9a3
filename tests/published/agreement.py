"""How far each component's outputs are from those that its authors' code gave for the same weights.

Each `case_*.py` beside this file has a list CASES; `test_agreement.py` holds them to their tolerance,
`benchmarks/agreement.py` prints them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from sines import image

from marsseg_core.components.interfaces import Bottleneck
from marsseg_core.components.specs import BottleneckSpec

FOLDER: Final = Path(__file__).parent

# Components with no public code by those who published them.
UNPUBLISHED: Final = {
    "dense": "the report's network; its code is not public",
    "dual": "the report's network; its code is not public",
    "parallel": "the report's network; its code is not public",
    "refine": "a second network after that of any run; made of the others",
    "seunet": "seen on the course's data, its code is not public; its gates are those of `resunetpp`",
}


@dataclass(frozen=True)
class Source:
    """Where the code is that was run; `note` says whose it is where it is not that of the paper's authors."""

    repository: str
    commit: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.repository}, {self.commit}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Case:
    """One network or bottleneck, filled by the rule, and what the authors' code gave."""

    component: str
    what: str
    source: Source
    file: str
    key: str
    make: Callable[[], keras.Model]
    # Several outputs are one beside the other, in this order.
    heads: tuple[str, ...] = ()
    every: tuple[int, int, int] = (1, 1, 1)  # of the rows, columns and channels that were recorded
    tolerance: float = 1e-5

    def __str__(self) -> str:
        return f"{self.component}-{self.key}"

    @cached_property
    def recorded(self) -> np.ndarray:
        with np.load(FOLDER / f"{self.file}.npz") as arrays:
            return arrays[self.key]

    def outputs(self, network: keras.Model) -> np.ndarray:
        """What it gives for the image of its size, as far as it was recorded."""
        found: Any = network(image(1, *network.input_shape[1:]), training=False)
        if self.heads:
            found = keras.ops.concatenate([found[head] for head in self.heads], axis=-1)
        rows, columns, channels = self.every
        return keras.ops.convert_to_numpy(found)[:, ::rows, ::columns, ::channels]

    def difference(self, network: keras.Model) -> float:
        """The largest difference to what was recorded, over the largest number in that."""
        found = self.outputs(network)
        assert found.shape == self.recorded.shape, f"{found.shape} is not {self.recorded.shape}"
        return float(np.abs(found - self.recorded).max() / np.abs(self.recorded).max())


def cases() -> list[Case]:
    """All of them, in the order of the files."""
    modules = [importlib.import_module(path.stem) for path in sorted(FOLDER.glob("case_*.py"))]
    return [case for module in modules for case in module.CASES]


def bottleneck(component: Bottleneck, rows: int, columns: int, channels: int) -> keras.Model:
    """A network that is a bottleneck alone."""
    features = keras.Input((rows, columns, channels))
    return keras.Model(features, component.build(features, BottleneckSpec(3)))
