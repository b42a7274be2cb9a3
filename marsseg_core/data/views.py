"""Make batches of images without labels, each in a weak and a strong view, beside the batches with labels.

Every random draw depends only on (seed, epoch, image), as for the images with labels. Which image is the next one of a
batch, from which a box may come, depends on the order of the epoch, drawn by (seed, epoch), and on the size of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..conventions import VOID, Transform
from ..errors import RequestError
from .arrays import scale
from .batches import TrainingBatches
from .targets import LABELS
from .transforms import apply_transforms

UNLABELLED: Final = "unlabelled"

# The last entry of the seeds: they differ from those of images with labels, which have at most four entries.
_ORDER: Final = 1
_WEAK: Final = 2
_STRONG: Final = 3

# The share of an image that a box covers. Source: French and others, arXiv 1906.01916.
_BOX: Final = 0.5

# The copies of an image that a transform is checked with: one that moves pixels may leave some of them as they are.
_PROBES: Final = 8


class ViewBatches:
    """Make batches of `batch` images without labels (M, H, W, C) uint8 in two views of `size` (rows, columns).

    A window is drawn from larger images. The weak view is moved by the transforms `weak`; the strong view is the weak
    view, changed by the transforms `strong`. With the probability `cutmix`, a box of half of its area is replaced by
    that of the next image of the batch. Each transform comes with its probability. `labels` (M, H, W) or (M, H, W, K)
    uint8 are moved together with the images. The weak views themselves are left out unless `uses_weak`. `part` (i, n)
    makes only the i-th of n equal parts of each batch, for n processes that train together.
    """

    def __init__(
        self,
        images: np.ndarray,
        weak: Sequence[tuple[Transform, float]],
        strong: Sequence[tuple[Transform, float]],
        *,
        batch: int,
        seed: int,
        size: tuple[int, int],
        cutmix: float = 0.0,
        labels: np.ndarray | None = None,
        uses_weak: bool = True,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._images = images
        self._weak, self._strong = tuple(weak), tuple(strong)
        self._batch, self._seed, self._size = batch, seed, size
        self._cutmix = cutmix
        self._labels = labels
        self._uses_weak = uses_weak
        # The images of a part, and the one after them, from which a box may come.
        part_size = batch // part[1]
        self._rows = (np.arange(part_size + 1) + part[0] * part_size) % batch if part[1] > 1 else None
        self._order: tuple[tuple[int, int], np.ndarray] = ((-1, 0), np.empty((0, 2), np.int64))

    def relabel(self, labels: np.ndarray) -> None:
        """Replace the labels by others of the same shape."""
        self._labels = labels

    def check(self) -> None:
        """Change copies of an image by each transform of the strong view. Raises RequestError where one moves pixels.

        `make` finds this too, but only after the training has begun, and not before the transform is drawn.
        """
        chosen = np.array([(0, copy) for copy in range(_PROBES)])
        for transform, _ in self._strong:
            generators = self._generators(0, chosen, _STRONG)
            images = scale(_cut(self._images, chosen[:, 0], [self._window(each) for each in generators]))
            self._strong_views(images, np.zeros(images.shape[:3], np.uint8), generators, [(transform, 1.0)])

    def make(self, epoch: int, index: int, steps: int) -> dict[str, np.ndarray]:
        """Return the views of a step of an epoch with so many steps: the arrays of `ViewTensors`, by name."""
        chosen = self._epoch_order(epoch, steps)[index * self._batch : (index + 1) * self._batch]
        if self._rows is not None:
            chosen = chosen[self._rows]
        generators = self._generators(epoch, chosen, _WEAK)
        weak, labels, inside = self._weak_views(chosen[:, 0], generators)
        generators = self._generators(epoch, chosen, _STRONG)
        strong, counted = self._strong_views(weak, inside, generators, self._strong)
        mixed = np.zeros(counted.shape, np.uint8)
        for mask, generator in zip(mixed, generators, strict=True):
            if generator.random() < self._cutmix:
                mask[_box(mask.shape, generator)] = 1
        views = {"mixed": mixed, "strong": _mix(strong, mixed), "counted": _mix(counted, mixed)}
        if labels is not None:
            views["labels"] = _mix(labels, mixed)
        if self._uses_weak:
            views["weak"] = weak
        return views if self._rows is None else {name: array[:-1] for name, array in views.items()}

    def _generators(self, epoch: int, chosen: np.ndarray, view: int) -> list[np.random.Generator]:
        return [np.random.default_rng([self._seed, epoch, item, copy, view]) for item, copy in chosen]

    def _weak_views(
        self, items: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Return the weak views, their labels, and masks of the pixels that show something: 0, and VOID elsewhere."""
        windows = [self._window(generator) for generator in generators]
        images = scale(_cut(self._images, items, windows))
        labels = None if self._labels is None else _cut(self._labels, items, windows)
        inside = np.zeros(images.shape[:3], np.uint8)
        if labels is None:
            apply_transforms(self._weak, images, inside, generators)
        elif labels.ndim == 3:
            apply_transforms(self._weak, images, labels, generators)
        else:
            # Probabilities are moved and interpolated like further channels of the image.
            channels = images.shape[-1]
            joined = np.concatenate([images, scale(labels)], axis=-1)
            apply_transforms(self._weak, joined, inside, generators)
            images = np.ascontiguousarray(joined[..., :channels])
            labels = np.rint(np.clip(joined[..., channels:], 0, 1) * np.float32(255)).astype(np.uint8)
        return images, labels, inside

    def _strong_views(
        self,
        weak: np.ndarray,
        inside: np.ndarray,
        generators: Sequence[np.random.Generator],
        transforms: Sequence[tuple[Transform, float]],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the strong views before boxes are mixed, and 1 for each pixel that counts, (B, H, W) uint8."""
        strong = weak.copy()
        # A mask of random labels: it changes if an augmentation moves pixels, or pastes those of other images.
        marks = np.random.default_rng(0).integers(0, 2, inside.shape[1:], np.uint8)
        expected = np.where(inside == VOID, inside, marks)
        mask = expected.copy()
        apply_transforms(transforms, strong, mask, generators)
        if np.any((mask != expected) & (mask != VOID)):
            raise RequestError(
                "An augmentation of the strong view moves pixels or pastes those of others: they are not where "
                "they are in the weak view.",
                where="--semi, strong",
                hint="Use augmentations that change values, such as brightness, contrast, noise and blur.",
            )
        return strong, (mask != VOID).astype(np.uint8)

    def _window(self, generator: np.random.Generator) -> tuple[slice, slice]:
        lengths = self._images.shape[1:3]
        starts = [int(generator.integers(length - part + 1)) for length, part in zip(lengths, self._size, strict=True)]
        return slice(starts[0], starts[0] + self._size[0]), slice(starts[1], starts[1] + self._size[1])

    def _epoch_order(self, epoch: int, steps: int) -> np.ndarray:
        """Return the images of an epoch in their order, (n, 2): the image, and how often it came before.

        If there are more images than the epoch takes, each epoch draws some anew. If there are fewer, they come again.
        """
        key, order = self._order
        if key != (epoch, steps):
            random = np.random.default_rng([self._seed, epoch, 0, 0, _ORDER])
            count, needed = len(self._images), steps * self._batch
            rounds = [
                np.column_stack([random.permutation(count), np.full(count, copy)])
                for copy in range(-(-needed // count))
            ]
            order = np.concatenate(rounds)[:needed]
            self._order = ((epoch, steps), order)
        return order


class PairedBatches:
    """Give each batch with labels the views of a batch of images without labels.

    The labels of a batch are those of `TrainingBatches`; `split_views` separates the views from them.
    """

    def __init__(self, labelled: TrainingBatches, views: ViewBatches) -> None:
        self._labelled = labelled
        self._views = views

    @property
    def epoch(self) -> int:
        """Return the number of the epoch, which may be set."""
        return self._labelled.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._labelled.epoch = number

    def relabel(self, labels: np.ndarray) -> None:
        """Replace the labels of the images without labels by others of the same shape."""
        self._views.relabel(labels)

    def __len__(self) -> int:
        return len(self._labelled)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        epoch = self.epoch
        images, labels = self._labelled[index]
        labels = dict(labels) if isinstance(labels, Mapping) else {LABELS: labels}
        return images, labels | {UNLABELLED: self._views.make(epoch, index, len(self))}


def split_views(labels: Any) -> tuple[Any, dict[str, Any] | None]:
    """Separate the labels of a batch (for `targets.split_targets`) from the views of images without labels, or None."""
    if not isinstance(labels, Mapping) or UNLABELLED not in labels:
        return labels, None
    return {name: value for name, value in labels.items() if name != UNLABELLED}, labels[UNLABELLED]


def _cut(array: np.ndarray, items: np.ndarray, windows: Sequence[tuple[slice, slice]]) -> np.ndarray:
    return np.stack([array[item][window] for item, window in zip(items, windows, strict=True)])


def _mix(values: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Return the values (B, H, W, …) with those of the next one of the batch where `mixed` is 1."""
    places = mixed.astype(bool).reshape(*mixed.shape, *(1,) * (values.ndim - mixed.ndim))
    return np.where(places, np.roll(values, -1, axis=0), values)


def _box(shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, slice]:
    """Draw a box with half of the area of an image: its proportions and its place."""
    down = _BOX ** generator.random()
    lengths = [max(1, round(part * length)) for part, length in zip((down, _BOX / down), shape, strict=True)]
    top, left = (int(generator.integers(length - part + 1)) for part, length in zip(lengths, shape, strict=True))
    return slice(top, top + lengths[0]), slice(left, left + lengths[1])
