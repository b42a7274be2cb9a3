"""Write a network in another precision than float32, and measure what this costs: the change of `miou`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import keras
import numpy as np

from ..components.exports import FLOAT32
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..errors import RequestError, RunError
from ..evaluation.decoding import ARGMAX
from ..evaluation.evaluate import evaluate
from ..networks.compiled import compute_by
from ..planning.resolved import ResolvedComponent
from .agreement import Function
from .form import Form, in_float32
from .images import real_images

# More images change the ranges of values little, and each one takes time.
_CALIBRATION: Final = 128

_BATCH: Final = 16


@dataclass(frozen=True)
class Change:
    """The `miou` of a network and of its exported form, on the same images.

    Attributes:
        network: that of the network, with Keras
        exported: that of the exported form, in its own runtime
    """

    network: float
    exported: float

    @property
    def value(self) -> float:
        """Return the change. A loss is negative."""
        return self.exported - self.network


@dataclass(frozen=True)
class Quantisation:
    """Describe the precision of an export, with the data to calibrate it and to measure what it costs.

    Attributes:
        precision: the precision, as the exporter calls it
        data: the data of the run
        split: its subsets
        tolerance: by how much the `miou` may fall
        where: what asked for it
        hint: what to do where the `miou` falls by more
    """

    precision: str
    data: SegmentationData
    split: Split
    tolerance: float
    where: str
    hint: str

    def calibration(self, network: keras.Model, form: Form) -> list[np.ndarray]:
        """Return images of the training subset as the form takes them, spread evenly over it."""
        items = np.asarray(self.split["train"])
        places = np.linspace(0, len(items) - 1, min(len(items), _CALIBRATION)).astype(int)
        return list(form.taken(real_images(self.data, items[places], network)))

    def change(self, network: keras.Model, form: Form, exported: Function) -> Change:
        """Score the network and its exported form on the validation subset."""
        items = np.asarray(self.split["validation"])
        by_keras = evaluate(network, self.data, items, _BATCH, decoding=form.decoding)
        classes = network.output_shape[-1]

        def logits(images: np.ndarray) -> np.ndarray:
            taken = form.taken(np.rint(images * 255).astype(np.uint8))
            return form.logits(exported(taken), classes)

        copy = in_float32(network)
        compute_by(copy, logits)
        # The offsets are in the labels already.
        decoding = ARGMAX if form.output == "labels" else form.decoding
        return Change(by_keras.miou, evaluate(copy, self.data, items, _BATCH, decoding=decoding).miou)

    def check(self, change: Change, exporter: ResolvedComponent) -> None:
        """Raise RunError where the `miou` falls by more than the tolerance."""
        if change.value >= -self.tolerance:
            return
        raise RunError(
            f"In {self.precision}, the miou on the validation subset is {change.exported:.4f}, with Keras "
            f"{change.network:.4f}: it changes by {change.value:+.4f} (at most {-self.tolerance:+g}).",
            where=f"{exporter.entry.label}, {self.where}",
            hint=f"Nothing was kept. {self.hint}",
        )


def quantisation(
    precision: str, data: SegmentationData, split: Split, tolerance: float, *, where: str, hint: str
) -> Quantisation | None:
    """Return how a precision is written and measured; None for float32, which is compared with the network itself.

    Raises RequestError, with `where`, if the run has no images for it.
    """
    if precision == FLOAT32:
        return None
    for subset, use in (("train", "the calibration"), ("validation", "the change of miou")):
        if not len(split[subset]):
            raise RequestError(f"The {subset} subset of the run is empty, and {use} needs it.", where=where)
    return Quantisation(precision, data, split, tolerance, where, hint)
