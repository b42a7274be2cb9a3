"""A labelled data set in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..components import VOID
from ..errors import RequestError


@dataclass(frozen=True, eq=False)
class SegmentationData:
    """N labelled images.

    - `images` (N, H, W, C) uint8; `masks` (N, H, W) uint8 with class ids or 255 for void
    - `class_names`, one for each of the K classes; `ignored` classes count in no loss and no score
    - `groups` (N,) integers or None: images of one group (one place) stay on one side of any split
    - `source` says in a few words where this came from

    Raises RequestError when the arrays do not belong together.
    """

    images: np.ndarray
    masks: np.ndarray
    class_names: tuple[str, ...]
    ignored: tuple[int, ...] = ()
    groups: np.ndarray | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            self._refuse(f"Images must be (N, H, W, C) uint8, not {self.images.shape} {self.images.dtype}.")
        if self.masks.dtype != np.uint8 or self.masks.shape[1:] != self.images.shape[1:3]:
            self._refuse(f"Masks of {self.masks.shape} do not fit images of {self.images.shape}.")
        if len(self.images) != len(self.masks):
            self._refuse(f"There are {len(self.images)} images and {len(self.masks)} masks.")
        if not len(self.images):
            self._refuse("There are no images.")
        if len(set(self.class_names)) < self.num_classes or self.num_classes > VOID:
            self._refuse(f"Class names must differ, and be at most {VOID}: {', '.join(self.class_names)}.")
        if not self.labelled_classes:
            self._refuse("All classes are ignored: there is nothing to learn.")
        if self.groups is not None and self.groups.shape != (len(self.images),):
            self._refuse(f"Groups of shape {self.groups.shape} do not fit {len(self.images)} images.")
        if beyond := [c for c in self.ignored if not 0 <= c < self.num_classes]:
            self._refuse(f"There is no class {beyond[0]} to ignore; the classes are 0 to {self.num_classes - 1}.")
        seen = np.flatnonzero(np.bincount(self.masks.ravel(), minlength=VOID + 1))
        wrong = [int(label) for label in seen if label >= self.num_classes and label != VOID]
        if wrong:
            item = int(np.flatnonzero((self.masks == wrong[0]).any(axis=(1, 2)))[0])
            self._refuse(
                f"Mask {item} holds the value {wrong[0]}; the classes are 0 to {self.num_classes - 1} "
                f"({', '.join(self.class_names)}), and {VOID} for void."
            )

    def _refuse(self, what: str) -> None:
        raise RequestError(what, where=self.source)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def labelled_classes(self) -> tuple[int, ...]:
        """The classes that count: all but the ignored ones."""
        return tuple(c for c in range(self.num_classes) if c not in self.ignored)

    def fingerprint(self) -> str:
        """A hash of all that a split depends on: images, masks and groups."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.images, self.masks, self.groups):
            if array is not None:
                digest.update(repr((array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
