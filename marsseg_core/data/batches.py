"""The batches a training sees: NumPy in, NumPy out, on every backend.

Every random draw is a function of (seed, epoch, image) alone, whatever the number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import keras
import numpy as np

from ..components import Augmentation
from .arrays import SegmentationData

# Distinguishes the draws of the order from those of the images, which are numbered from 0.
_ORDER: Final = 2**32 - 1


def scale(images: np.ndarray) -> np.ndarray:
    """Images uint8 → float32 in [0, 1], as networks take them."""
    return images.astype(np.float32) / np.float32(255)


class TrainingBatches(keras.utils.PyDataset):
    """Augmented batches of (images float32 (B, H, W, C) in [0, 1], masks uint8 (B, H, W)) in a new order each epoch.

    `epoch` is set by the training loop. The short batch at the end is dropped (its shape would cost a trace), and
    other items come last each epoch; fewer items than one batch make one short batch.
    """

    def __init__(
        self,
        data: SegmentationData,
        items: np.ndarray,
        augmentations: Sequence[tuple[Augmentation, float]],
        *,
        batch: int,
        seed: int,
        workers: int = 1,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=2 * workers)
        self._data = data
        self._items = np.asarray(items)
        self._augmentations = tuple(augmentations)
        self._batch = min(batch, len(self._items))
        self._seed = seed
        self._order: tuple[int, np.ndarray] = (-1, self._items)
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._items) // self._batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch = self.epoch
        chosen = self._epoch_order(epoch)[index * self._batch : (index + 1) * self._batch]
        images, masks = scale(self._data.images[chosen]), self._data.masks[chosen]
        if self._augmentations:
            generators = [np.random.default_rng([self._seed, epoch, item]) for item in chosen]
            for augmentation, p in self._augmentations:
                images, masks = _apply(augmentation, p, images, masks, generators)
        return images, masks

    def _epoch_order(self, epoch: int) -> np.ndarray:
        known_epoch, order = self._order
        if known_epoch != epoch:
            order = np.random.default_rng([self._seed, epoch, _ORDER]).permutation(self._items)
            self._order = (epoch, order)
        return order


def _apply(
    augmentation: Augmentation,
    p: float,
    images: np.ndarray,
    masks: np.ndarray,
    generators: Sequence[np.random.Generator],
) -> tuple[np.ndarray, np.ndarray]:
    """Change each image of a batch with probability `p`."""
    changed = [i for i, generator in enumerate(generators) if generator.random() < p]
    if changed:
        images[changed], masks[changed] = augmentation.apply(
            images[changed], masks[changed], [generators[i] for i in changed]
        )
    return images, masks
