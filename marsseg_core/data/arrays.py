"""Hold a labelled data set as arrays, in memory or memory-mapped."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from ..conventions import VOID
from ..errors import RequestError, counted, some
from ..printable import printable
from ..shown import HtmlRepr
from .chunks import chunks
from .names import StoredNames
from .split import Split
from .subsets import SUBSETS, subset_called

if TYPE_CHECKING:
    from .cleaning_report import CleaningReport
    from .scaling import Scaling

# How many names of classes a message lists.
_CLASSES_SHOWN: Final = 8


@dataclass(frozen=True)
class Facts:
    """Hold results that need a pass over all images and masks.

    A prepared data set stores them, so that it can be opened without reading a pixel. `label_counts` is the attribute
    of `SegmentationData`, `fingerprint` the result of its method.
    """

    label_counts: np.ndarray
    fingerprint: str


@dataclass(frozen=True, eq=False, repr=False)
class SegmentationData(HtmlRepr):
    """Hold N labelled images and check that their arrays match.

    The arrays may be memory-mapped and larger than memory: read only what you need, such as `data.images[items]`.

    Attributes:
        images: (N, H, W, C) uint8
        masks: (N, H, W) uint8, class ids or 255 for void
        class_names: (K,) the name of each class; pass a tuple, a list or an array. Control characters become escapes.
        ignore_classes: the ids of classes that losses and metrics ignore; pass a tuple, a list or an array
        groups: (N,) integers or None; a split puts all images of one group (one place) into the same subset
        source: the name of the data set or its file, for messages
        cleaning: the report of the cleaning; None if the data was not cleaned
        scaling: how the values of the source became 0…255; None if they were not changed
        names: (N,) a different name for each item, such as "site1/a.png" or, for a tile, "site1/a.png@r64c128"; None
            if they have none
        split: the subsets that the data come with, a `Split` or a mapping {"train": items, …} with "validation" and
            "test"; None if they come with none. Subsets may be empty, and items may be in none.
        class_colours: (K,) the red, green and blue (0…255) of each class in colour masks; None if there are none
        label_counts: (N, K + 1) the number of pixels of each class in each mask; the last column is void

    Raises:
        RequestError: if the arrays, names or ids do not match
    """

    images: np.ndarray
    masks: np.ndarray
    class_names: tuple[str, ...]
    ignore_classes: tuple[int, ...] = ()
    groups: np.ndarray | None = None
    source: str = ""
    cleaning: CleaningReport | None = None
    scaling: Scaling | None = None
    names: Sequence[str] | None = None
    split: Split | None = None
    class_colours: tuple[tuple[int, int, int], ...] | None = None
    label_counts: np.ndarray = field(init=False, repr=False)
    facts: InitVar[Facts | None] = None  # not stored: a copy with other arrays computes its own

    def __post_init__(self, facts: Facts | None) -> None:
        object.__setattr__(self, "source", printable(str(self.source)))  # a Path may be passed too
        names, ignore_classes = _as_tuple(self.class_names), _as_tuple(self.ignore_classes)
        unordered = isinstance(self.class_names, set | frozenset)
        if unordered or not names or not all(isinstance(name, str) for name in names):
            self._refuse(
                f"Class names must be a list of strings, such as ('ground', 'rock'), not {_quoted(self.class_names)}."
            )
        if ignore_classes is None or not all(
            isinstance(c, int | np.integer) and not isinstance(c, bool) for c in ignore_classes
        ):
            self._refuse(f"Ignored classes must be ids of classes, such as (0,), not {_quoted(self.ignore_classes)}.")
        object.__setattr__(self, "class_names", tuple(printable(str(name)) for name in names))
        object.__setattr__(self, "ignore_classes", tuple(map(int, ignore_classes)))
        for name in ("images", "masks"):
            if not isinstance(array := getattr(self, name), np.ndarray):
                self._refuse(f"The {name} must be an array, not {type(array).__name__}.")
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            self._refuse(
                f"Images must be (N, H, W, C) uint8, not {self.images.shape} {self.images.dtype}.",
                "Scale the values first, so that 0 is black and 255 white; grey images have one channel, [..., None].",
            )
        if self.masks.ndim != 3 or self.masks.dtype != np.uint8:
            self._refuse(f"Masks must be (N, H, W) uint8, not {self.masks.shape} {self.masks.dtype}.")
        if self.masks.shape[1:] != self.images.shape[1:3]:
            self._refuse(f"Masks of {self.masks.shape} do not fit images of {self.images.shape}.")
        if len(self.images) != len(self.masks):
            self._refuse(f"There are {len(self.images)} images and {len(self.masks)} masks.")
        if not len(self.images):
            self._refuse("There are no images.")
        if self.num_classes > VOID:
            self._refuse(f"There are {self.num_classes} classes; at most {VOID} are possible.")
        if (twice := _repeated(self.class_names)) is not None:
            self._refuse(f"Two classes have the name {twice}.")
        if not self.labelled_classes:
            self._refuse("All classes are ignored: there is nothing to learn.")
        if self.groups is not None:
            groups = np.asarray(self.groups)
            if groups.shape != (len(self.images),) or groups.dtype.kind not in "iu":
                actual = f"{groups.shape} {groups.dtype}"
                self._refuse(f"Groups must be a whole number for each of {len(self.images)} images, not {actual}.")
            object.__setattr__(self, "groups", groups)
        if beyond := [c for c in self.ignore_classes if not 0 <= c < self.num_classes]:
            self._refuse(f"There is no class {beyond[0]} to ignore; the classes are 0 to {self.num_classes - 1}.")
        self._check_names()
        self._check_split()
        self._check_colours()
        object.__setattr__(self, "label_counts", self._count_labels() if facts is None else facts.label_counts)
        object.__setattr__(self, "_fingerprint", None if facts is None else facts.fingerprint)

    def _check_names(self) -> None:
        if self.names is None:
            return
        if isinstance(self.names, str) or not isinstance(self.names, Sequence | np.ndarray):
            self._refuse(f"The names of the items must be a list of strings, not {_quoted(self.names)}.")
        if len(self.names) != len(self.images):
            self._refuse(f"There are {len(self.images)} images and {len(self.names)} names.")
        if isinstance(self.names, StoredNames):  # checked before they were stored
            return
        if wrong := [name for name in self.names if not isinstance(name, str)]:
            self._refuse(f"The name of an item must be a string, not {_quoted(wrong[0])}.")
        names = list(map(str, self.names))
        if (twice := _repeated(names)) is not None:
            self._refuse(f"Two items have the name {twice}.")
        object.__setattr__(self, "names", names)

    def _check_split(self) -> None:
        split: Split | Mapping[str, Iterable[int]] | None = self.split
        if split is None:
            return
        if not isinstance(split, Split):
            if isinstance(split, Mapping) and len(called := {subset_called(str(key)): key for key in split}) == len(
                split
            ):
                split = {subset: split[key] for subset, key in called.items()}
            if not isinstance(split, Mapping) or (unknown := set(split) - set(SUBSETS)):
                what = sorted(unknown)[0] if isinstance(split, Mapping) else _quoted(split)
                self._refuse(f"A split has the subsets {', '.join(SUBSETS)}, not {what}.")
            train, validation, test = (tuple(sorted(map(int, split.get(subset, ())))) for subset in SUBSETS)
            split = Split(train, validation, test)
        split = replace(split, origin="given")
        object.__setattr__(self, "split", split)
        items = np.concatenate([split[subset] for subset in SUBSETS])
        if items.size and not (items.min() >= 0 and items.max() < len(self.images)):
            wrong = items.min() if items.min() < 0 else items.max()
            self._refuse(f"The split has item {wrong}; items are numbered 0 to {len(self.images) - 1}.")
        if len(np.unique(items)) < len(items):
            self._refuse("The split has an item twice.")

    def _check_colours(self) -> None:
        if self.class_colours is None:
            return
        colours = np.asarray(self.class_colours)
        if colours.shape != (self.num_classes, 3) or colours.dtype.kind not in "iu" or colours.min() < 0:
            self._refuse(
                f"There must be a colour, three numbers from 0 to 255, for each of {self.num_classes} classes."
            )
        if colours.max() > 255:
            self._refuse(f"A colour is three numbers from 0 to 255, not {colours.max()}.")
        object.__setattr__(self, "class_colours", tuple(map(tuple, colours.tolist())))

    def _count_labels(self) -> np.ndarray:
        """Count the pixels of each class and of void in each mask; raise RequestError for any other value."""
        counts = np.empty((len(self), self.num_classes + 1), np.int32)
        for item, mask in enumerate(self.masks):  # one at a time: bincount turns its input into 8-byte integers
            pixels = np.bincount(mask.ravel(), minlength=VOID + 1)
            counts[item, :-1], counts[item, -1] = pixels[: self.num_classes], pixels[VOID]
            if counts[item].sum() < mask.size:
                which = f"Mask {item}" if self.names is None else f"The mask of {self.name(item)}"
                unknown = int(np.flatnonzero(pixels[self.num_classes : VOID])[0]) + self.num_classes
                self._refuse(
                    f"{which} holds the value {unknown}; the classes are 0 to {self.num_classes - 1} "
                    f"({some(self.class_names, _CLASSES_SHOWN)}), and {VOID} for void."
                )
        return counts

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        raise RequestError(what, where=self.source, hint=hint)

    @property
    def summary(self) -> str:
        """Return the number and size of the images and the names of the classes, in a line."""
        size = " × ".join(map(str, self.images.shape[1:]))
        names = shorten(", ".join(self.class_names), 80, placeholder=" …")
        classes = counted(self.num_classes, "class", "classes")
        return f"{counted(len(self), 'image')} of {size}, {classes}: {names}"

    def __repr__(self) -> str:
        return f"SegmentationData({self.summary}; {shorten(self.source, 80, placeholder='…')!r})"

    def name(self, item: int) -> str:
        """Return the name of an item, or its number if the items have no names."""
        return str(item) if self.names is None else str(self.names[item])

    def title(self, item: int) -> str:
        """Return the name of an item, or "item" and its number if the items have no names."""
        return f"item {item}" if self.names is None else self.name(item)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """Return the number of classes, including ignored ones."""
        return len(self.class_names)

    @property
    def labelled_classes(self) -> tuple[int, ...]:
        """Return the ids of the classes that are not ignored."""
        return tuple(c for c in range(self.num_classes) if c not in self.ignore_classes)

    def fingerprint(self) -> str:
        """Return a hash of everything that a split depends on: images, masks and groups."""
        cached: str | None = self.__dict__["_fingerprint"]
        if cached is not None:
            return cached
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.images, self.masks, self.groups):
            if array is not None:
                digest.update(repr((array.shape, array.dtype.str)).encode())
                for _, chunk in chunks(array):
                    digest.update(chunk.data)
        object.__setattr__(self, "_fingerprint", digest.hexdigest())
        return digest.hexdigest()


def _repeated(names: Sequence[str]) -> str | None:
    """Return the first name that is there more than once, or None."""
    if len(set(names)) == len(names):
        return None
    return next(name for name, times in Counter(names).items() if times > 1)


def _as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Convert a list, an array or any other iterable to a tuple; return None for a string or another value."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else None


def _quoted(value: Any) -> str:
    """Return the representation of a value, shortened to fit into a message."""
    return shorten(repr(value), 80, placeholder=" …")


def scale(images: np.ndarray) -> np.ndarray:
    """Scale images to the input of networks: divide by 255.

    Args:
        images: uint8, of any shape

    Returns:
        float32 in [0, 1], of the same shape
    """
    return images.astype(np.float32) / np.float32(255)
