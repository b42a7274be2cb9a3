"""Make the batches for training: NumPy in, NumPy out, on every backend.

Every random draw depends only on (seed, epoch, image), not on the number of workers. An image that is repeated in an
epoch gets other random draws each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..conventions import VOID, TargetFunction, Transform
from .arrays import SegmentationData, scale
from .statistics import items_with, rarest_items
from .targets import with_targets
from .transforms import apply_transforms

# Takes the place of the image's index where the order is drawn; images are numbered from 0.
_ORDER: Final = 2**32 - 1


class TrainingBatches:
    """Make augmented batches (images float32 (B, H, W, C) in [0, 1], masks uint8 (B, H, W)), reordered in each epoch.

    With `crop` (rows, columns), a window of this size is first drawn from each image; with the probability `crop_focus`
    it holds a pixel of the favoured class, if the image has one. Each of `transforms`, pairs of a
    function and a probability, changes an image with its probability, in this order (`transforms.apply_transforms`).
    `targets` are computed from the transformed masks (`targets.with_targets`). Items with the favoured class come
    `oversample` times as often as the others. It is `favoured_class`, or the rarest class of the items if that is None.
    The training loop sets `epoch`. An incomplete last batch is dropped, as
    its shape would need another trace of the network; other items are dropped in each epoch. If there are fewer items
    than one batch, they make one smaller batch. With `fill`, the last batch is filled instead: with the first items of
    the epoch, all of whose pixels are void, so that each item counts once. `part` (i, n) makes only the i-th of n equal
    parts of each batch, for n processes that train together. If all its functions can be pickled, worker processes can
    make the batches.
    """

    def __init__(
        self,
        data: SegmentationData,
        items: np.ndarray,
        transforms: Sequence[tuple[Transform, float]],
        *,
        batch: int,
        seed: int,
        oversample: float = 1.0,
        favoured_class: int | None = None,
        targets: Mapping[str, TargetFunction] | None = None,
        crop: tuple[int, int] | None = None,
        crop_focus: float = 0.0,
        fill: bool = False,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._data = data
        self._items = np.asarray(items)
        self._transforms = tuple(transforms)
        self._targets = dict(targets or {})
        self._crop = crop
        self._crop_focus = crop_focus
        self._favoured, favoured_items = favoured_class, self._items[:0]
        if favoured_class is not None:
            favoured_items = items_with(data, self._items, favoured_class)
        elif oversample > 1 or crop_focus:
            self._favoured, favoured_items = rarest_items(data, self._items)
        self._repeated = favoured_items if oversample > 1 else self._items[:0]
        self._extra = round((oversample - 1) * len(self._repeated))
        self._fill = fill
        self._batch = batch if fill else min(batch, len(self._items) + self._extra)
        part_size = self._batch // part[1]
        self._rows = slice(part[0] * part_size, (part[0] + 1) * part_size)
        self._seed = seed
        self._order: tuple[int, np.ndarray] = (-1, np.empty((0, 2), np.int64))
        self.epoch = 0

    def __len__(self) -> int:
        return (len(self._items) + self._extra + (self._batch - 1 if self._fill else 0)) // self._batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        epoch = self.epoch
        order = self._epoch_order(epoch)
        places = np.arange(index * self._batch, (index + 1) * self._batch)[self._rows]
        chosen = order[places % len(order)]
        items = chosen[:, 0]
        generators = []
        if self._transforms or self._crop:
            generators = [
                np.random.default_rng([self._seed, epoch, item, *([copy] if copy else [])]) for item, copy in chosen
            ]
        if self._crop is None:
            images, masks = self._data.images[items], self._data.masks[items]
        else:
            windows = [
                self._window(item, self._crop, generator) for item, generator in zip(items, generators, strict=True)
            ]
            images, masks = (
                np.stack([array[item][window] for item, window in zip(items, windows, strict=True)])
                for array in (self._data.images, self._data.masks)
            )
        images = scale(images)
        apply_transforms(self._transforms, images, masks, generators)
        masks[places >= len(order)] = VOID
        return images, with_targets(masks, self._targets)

    def _window(self, item: int, crop: tuple[int, int], generator: np.random.Generator) -> tuple[slice, slice]:
        """Draw the rows and columns of a window; each place that is allowed is as likely as any other.

        All places in the image are allowed, or, in a share `crop_focus` of the draws, those that hold a certain pixel
        of the favoured class, which is drawn first.
        """
        lengths = self._data.masks.shape[1:]
        ranges = [(0, length - part) for length, part in zip(lengths, crop, strict=True)]
        if self._crop_focus and generator.random() < self._crop_focus and self._has_favoured(item):
            favoured = np.flatnonzero(self._data.masks[item] == self._favoured)
            pixel = divmod(int(favoured[generator.integers(len(favoured))]), lengths[1])
            ranges = [
                (max(0, place - part + 1), min(place, last))
                for place, part, (_, last) in zip(pixel, crop, ranges, strict=True)
            ]
        top, left = (int(generator.integers(first, last + 1)) for first, last in ranges)
        return slice(top, top + crop[0]), slice(left, left + crop[1])

    def _has_favoured(self, item: int) -> bool:
        return self._favoured is not None and bool(self._data.label_counts[item, self._favoured])

    def _epoch_order(self, epoch: int) -> np.ndarray:
        """Return the items of an epoch in their order, (n, 2): the item, and the number of its copy, from 0."""
        cached_epoch, order = self._order
        if cached_epoch != epoch:
            random = np.random.default_rng([self._seed, epoch, _ORDER])
            copies = [np.column_stack([self._items, np.zeros_like(self._items)])]
            for copy in range(1, -(-self._extra // max(1, len(self._repeated))) + 1):
                count = min(len(self._repeated), self._extra - (copy - 1) * len(self._repeated))
                repeated = random.permutation(self._repeated)[:count]
                copies.append(np.column_stack([repeated, np.full_like(repeated, copy)]))
            order = np.concatenate(copies)
            order = order[random.permutation(len(order))]
            self._order = (epoch, order)
        return order
