"""The semi-supervised method `pseudo`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from marsseg_core.plugin_api import VOID, LabellingSpec, Method, SemiSpec, UsesRuns, Views, param

from .views import STRONG, STRONG_HELP, WEAK, WEAK_HELP

if TYPE_CHECKING:
    from marsseg_core.plugin_api import SemiLayer


@dataclass(frozen=True)
class Pseudo(UsesRuns, Method):
    """Pseudo-labels: finished runs, or the network itself, label the images, and the network learns these labels.

    A pixel gets the class with the highest mean probability of the runs, and with `flips` of the mirror images too. Of
    the pixels of each class, the share `keep` with the highest probabilities keep their label; the others are void. So
    a rare class, of which networks are less sure, keeps the same share of its pixels as a frequent one. Of pixels with
    equal probabilities, all keep it: where a network is certain of many, that is more than the share. `lowest` is a
    bound for all classes. With `soft`, the labels are the probabilities themselves.

    The epochs are divided into equal `rounds`. In the first one, the labels are those of `runs`; at the start of each
    further one, the network labels the images again, as it is trained by then. With `runs=none`, the images do not
    count in the first round. The labels of the last round are stored in the run folder.

    Lee, "Pseudo-Label", ICML workshop 2013; thresholds for each class as shares: Zou and others, arXiv 1810.07911.
    """

    run_parameter: ClassVar[str] = "runs"

    runs: tuple[str, ...] | None = param(
        help="run folders that label the images, joined by + in a composition; none: no labels in the first round",
        min_length=1,
    )
    rounds: int = param(
        1, help="equal parts of the training; at the start of each, the images are labelled", minimum=1, maximum=1_000
    )
    flips: bool = param(True, help="the runs also predict the mirror images")
    keep: float = param(0.5, help="share of the pixels of each class that keep their label", above=0, maximum=1)
    lowest: float = param(0.0, help="smallest probability of a label, for all classes", minimum=0, maximum=1)
    soft: bool = param(False, help="learn the probabilities instead of the most likely class")
    weak: str = param(WEAK, help=WEAK_HELP)
    strong: str = param(STRONG, help=STRONG_HELP)
    cutmix: float = param(0.0, help="probability of a box of another image in the strong view", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        if self.runs is None and self.rounds == 1:
            raise ValueError("with runs=none, nothing labels the images in a single round: set rounds=2 or more")

    @property
    def labelling_rounds(self) -> int:
        return self.rounds

    @property
    def views(self) -> Views:
        return Views(self.weak, self.strong, self.cutmix, uses_weak=False)

    def label(self, spec: LabellingSpec) -> np.ndarray:
        shape = spec.images.shape[:3]
        runs = self.runs if spec.round == 1 else None
        if spec.round == 1 and runs is None:
            return np.zeros((*shape, spec.num_classes), np.uint8) if self.soft else np.full(shape, VOID, np.uint8)
        classes = np.empty(shape, np.uint8)
        confidence = np.empty(shape, np.uint16)
        soft = np.empty((*shape, spec.num_classes), np.uint8) if self.soft else None
        counted = [c for c in range(spec.num_classes) if c not in spec.ignore_classes]
        for item, predicted in enumerate(spec.predict(runs, self.flips)):
            probabilities = predicted[..., counted]
            total = probabilities.sum(axis=-1, keepdims=True)
            # Where the networks are certain of ignored classes, float32 leaves 0 for the others: these have no label.
            is_any = total > 0
            probabilities = np.divide(probabilities, total, out=np.zeros_like(probabilities), where=is_any)
            most_likely = np.asarray(counted, np.uint8)[probabilities.argmax(axis=-1)]
            classes[item] = np.where(is_any[..., 0], most_likely, np.uint8(VOID))
            confidence[item] = as_fraction(probabilities.max(axis=-1), confidence.dtype)
            if soft is not None:
                soft[item] = 0
                soft[item][..., counted] = as_fraction(probabilities, soft.dtype)
        kept = confidence >= as_fraction(np.array(self.lowest, np.float32), confidence.dtype)
        for c in counted:
            if (of_class := classes == c).any():
                kept &= ~of_class | (confidence >= np.quantile(confidence[of_class], 1 - self.keep, method="higher"))
        if soft is None:
            return np.where(kept, classes, np.uint8(VOID))
        soft[~kept] = 0
        return soft

    def build(self, spec: SemiSpec) -> SemiLayer:
        from .layers import PseudoLayer

        return PseudoLayer(spec, soft=self.soft)


def as_fraction(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return numbers from 0 to 1 as whole numbers from 0 to the highest one of the type."""
    highest = np.iinfo(dtype).max
    fractions: np.ndarray = np.rint(values * np.float32(highest)).clip(0, highest).astype(dtype)
    return fractions
