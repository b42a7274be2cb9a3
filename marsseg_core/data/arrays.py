"""A labelled data set: arrays in memory, or memory-mapped ones of any size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..conventions import VOID
from ..errors import RequestError
from ..shown import Shown
from .pieces import pieces

if TYPE_CHECKING:
    from .cleaning_report import CleaningReport
    from .scaling import Scaling


@dataclass(frozen=True)
class Facts:
    """What takes a pass over all images and masks, as a prepared data set keeps it: then opening reads no pixel.

    `label_counts` is that of `SegmentationData`, `fingerprint` what its method of this name gives.
    """

    label_counts: np.ndarray
    fingerprint: str


@dataclass(frozen=True, eq=False, repr=False)
class SegmentationData(Shown):
    """Hold N labelled images, checked.

    The arrays may be memory-mapped and larger than memory: read pieces of them, `data.images[items]`.

    Attributes:
        images: (N, H, W, C) uint8
        masks: (N, H, W) uint8, class ids or 255 for void
        class_names: (K,) one for each class; a list or an array may be given
        ignore_classes: the classes that count in no loss and no score; a list or an array may be given
        groups: (N,) integers or None: images of one group (one place) stay on one side of any split
        source: says in a few words where this came from
        cleaning: tells what was changed since it was read, where cleaning was asked for
        scaling: tells how the source's values became 0…255; None where they are as they were
        label_counts: (N, K + 1) how many pixels of each mask have each class; the last column is void

    Raises:
        RequestError: where the arrays do not belong together
    """

    images: np.ndarray
    masks: np.ndarray
    class_names: tuple[str, ...]
    ignore_classes: tuple[int, ...] = ()
    groups: np.ndarray | None = None
    source: str = ""
    cleaning: CleaningReport | None = None
    scaling: Scaling | None = None
    label_counts: np.ndarray = field(init=False, repr=False)
    facts: InitVar[Facts | None] = None  # not kept: a copy with other arrays finds its own

    def __post_init__(self, facts: Facts | None) -> None:
        object.__setattr__(self, "source", str(self.source))  # a Path may be given too
        names, ignore_classes = _row(self.class_names), _row(self.ignore_classes)
        unordered = isinstance(self.class_names, set | frozenset)
        if unordered or not names or not all(isinstance(name, str) for name in names):
            self._refuse(
                f"Class names must be texts in their order, such as ('ground', 'rock'), not {_shown(self.class_names)}."
            )
        if ignore_classes is None or not all(
            isinstance(c, int | np.integer) and not isinstance(c, bool) for c in ignore_classes
        ):
            self._refuse(
                f"Ignored classes must be numbers of classes, such as (0,), not {_shown(self.ignore_classes)}."
            )
        object.__setattr__(self, "class_names", tuple(map(str, names)))
        object.__setattr__(self, "ignore_classes", tuple(map(int, ignore_classes)))
        for name in ("images", "masks"):
            if not isinstance(given := getattr(self, name), np.ndarray):
                self._refuse(f"The {name} must be an array, not {type(given).__name__}.")
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            self._refuse(
                f"Images must be (N, H, W, C) uint8, not {self.images.shape} {self.images.dtype}.",
                "Values are scaled first so that 0 is black and 255 white; grey images have one channel, [..., None].",
            )
        if self.masks.ndim != 3 or self.masks.dtype != np.uint8:
            self._refuse(f"Masks must be (N, H, W) uint8, not {self.masks.shape} {self.masks.dtype}.")
        if self.masks.shape[1:] != self.images.shape[1:3]:
            self._refuse(f"Masks of {self.masks.shape} do not fit images of {self.images.shape}.")
        if len(self.images) != len(self.masks):
            self._refuse(f"There are {len(self.images)} images and {len(self.masks)} masks.")
        if not len(self.images):
            self._refuse("There are no images.")
        if len(set(self.class_names)) < self.num_classes or self.num_classes > VOID:
            self._refuse(f"Class names must differ, and be at most {VOID}: {', '.join(self.class_names)}.")
        if not self.labelled_classes:
            self._refuse("All classes are ignored: there is nothing to learn.")
        if self.groups is not None:
            groups = np.asarray(self.groups)
            if groups.shape != (len(self.images),) or groups.dtype.kind not in "iu":
                what = f"not {groups.shape} {groups.dtype}"
                self._refuse(f"Groups must be a whole number for each of {len(self.images)} images, {what}.")
            object.__setattr__(self, "groups", groups)
        if beyond := [c for c in self.ignore_classes if not 0 <= c < self.num_classes]:
            self._refuse(f"There is no class {beyond[0]} to ignore; the classes are 0 to {self.num_classes - 1}.")
        object.__setattr__(self, "label_counts", self._counted() if facts is None else facts.label_counts)
        object.__setattr__(self, "_fingerprint", None if facts is None else facts.fingerprint)

    def _counted(self) -> np.ndarray:
        counts = np.empty((len(self), self.num_classes + 1), np.int32)
        for item, mask in enumerate(self.masks):  # one at a time: bincount turns its input into 8-byte integers
            pixels = np.bincount(mask.ravel(), minlength=VOID + 1)
            counts[item, :-1], counts[item, -1] = pixels[: self.num_classes], pixels[VOID]
            if counts[item].sum() < mask.size:
                wrong = int(np.flatnonzero(pixels[self.num_classes : VOID])[0]) + self.num_classes
                self._refuse(
                    f"Mask {item} holds the value {wrong}; the classes are 0 to {self.num_classes - 1} "
                    f"({', '.join(self.class_names)}), and {VOID} for void."
                )
        return counts

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        raise RequestError(what, where=self.source, hint=hint)

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        size = " × ".join(map(str, self.images.shape[1:]))
        names = shorten(", ".join(self.class_names), 80, placeholder=" …")
        return f"{len(self)} images of {size}, {self.num_classes} classes: {names}"

    def __repr__(self) -> str:
        return f"SegmentationData({self.summary}; {shorten(self.source, 80, placeholder='…')!r})"

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def labelled_classes(self) -> tuple[int, ...]:
        """Give the classes that count: all but the ignored ones."""
        return tuple(c for c in range(self.num_classes) if c not in self.ignore_classes)

    def fingerprint(self) -> str:
        """Give a hash of all that a split depends on: images, masks and groups."""
        known: str | None = self.__dict__["_fingerprint"]
        if known is not None:
            return known
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.images, self.masks, self.groups):
            if array is not None:
                digest.update(repr((array.shape, array.dtype.str)).encode())
                for _, piece in pieces(array):
                    digest.update(piece.data)
        object.__setattr__(self, "_fingerprint", digest.hexdigest())
        return digest.hexdigest()


def _row(given: Any) -> tuple[Any, ...] | None:
    """What is in a list, an array or any other row; None where `given` is a text, or no row."""
    given = given.tolist() if isinstance(given, np.ndarray) else given
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else None


def _shown(given: Any) -> str:
    """What was given, in a line of its own."""
    return shorten(repr(given), 80, placeholder=" …")


def scale(images: np.ndarray) -> np.ndarray:
    """Scale images uint8 of any shape to float32 in [0, 1], as networks take them."""
    return images.astype(np.float32) / np.float32(255)
