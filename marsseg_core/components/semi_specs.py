"""The specs of semi-supervised methods, which let images without labels help to train a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Views:
    """Describe the views of an image without labels that the input pipeline prepares for a method.

    Both views show the same pixels at the same places: the strong view is made from the weak view.

    Attributes:
        weak: A composition of augmentations that move pixels, such as "hflip"; "none" leaves the image as it is.
        strong: A composition of augmentations that change values, such as "brightness,noise", applied to the weak view.
        cutmix: The probability with which a box of the strong view is replaced by that of the next image of the batch.
        uses_weak: Whether the layer needs the pixels of the weak view. If not, the pipeline does not hand them over.
    """

    weak: str
    strong: str
    cutmix: float = 0.0
    uses_weak: bool = True


@dataclass(frozen=True)
class SemiSpec:
    """Describe the training to a semi-supervised method.

    Attributes:
        num_classes: K, the number of classes, including the ignored ones.
        ignore_classes: The classes that have no labels. A method gives them no probability.
        epochs: The number of epochs.
        steps_per_epoch: The number of steps in each epoch.
    """

    num_classes: int
    ignore_classes: tuple[int, ...]
    epochs: int
    steps_per_epoch: int

    @property
    def counted(self) -> tuple[int, ...]:
        """Return the classes that are not ignored, in ascending order."""
        return tuple(c for c in range(self.num_classes) if c not in self.ignore_classes)


@dataclass(frozen=True)
class LabellingSpec:
    """Describe the images without labels to a method that labels them.

    Attributes:
        images: (M, H, W, C) uint8, the images.
        num_classes: K, the number of classes, including the ignored ones.
        ignore_classes: The classes that have no labels.
        predict: A function of the paths of finished runs, and of whether mirror images are predicted too. It yields the
            mean probabilities of the runs for one image after the other, (H, W, K) float32. With None in place of the
            paths, it predicts with the network that is trained, as it is then; not in the first round.
        round: The number of the round, counted from 1: see `Method.labelling_rounds`.
    """

    images: np.ndarray
    num_classes: int
    ignore_classes: tuple[int, ...]
    predict: Callable[[Sequence[str] | None, bool], Iterator[np.ndarray]]
    round: int = 1
