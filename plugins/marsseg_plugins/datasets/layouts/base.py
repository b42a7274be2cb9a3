"""Define what a layout is asked, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from marsseg_core.plugin_api import PIXEL_LIMIT, SUFFIXES

if TYPE_CHECKING:
    import numpy as np

    from ..class_file import ClassFile


@dataclass(frozen=True)
class Wanted:
    """Hold what the user has set about where images and masks are; None means that it is found.

    Attributes:
        images: the folder of the images, or the pattern of their paths
        masks: the same for masks
        image_suffix: what the names of images have at their end, before the suffix of the file
        mask_suffix: the same for masks
        names: the names of the classes, if they are known before masks are read
        pixel_limit: the maximum number of pixels of an image
        suffixes: the suffixes of image files
    """

    images: str | None = None
    masks: str | None = None
    image_suffix: str | None = None
    mask_suffix: str | None = None
    names: tuple[str, ...] | None = None
    pixel_limit: int = PIXEL_LIMIT
    suffixes: Collection[str] = SUFFIXES


@dataclass(frozen=True)
class Item:
    """An image with its mask, as a layout finds them.

    Attributes:
        image: the file of the image
        mask: the file of the mask, or of the annotations that it is drawn from
        name: the name of the image in the data set; unique
        place: the name of the place that its group stands for; empty for none
        subset: the subset that the layout gives it; empty for none
    """

    image: Path
    mask: Path
    name: str
    place: str = ""
    subset: str = ""


@dataclass(frozen=True)
class Found:
    """Hold what a layout finds.

    Attributes:
        items: the images with masks, in the order of the data set
        what: what was read, for a message; empty for none
        unpaired: for each fault, such as "image has no mask", the files that have it; the user decides on them
        left_out: for each reason, such as "hidden", the files that are not read
        unlabelled: images without labels
        classes: the classes that the layout itself defines, or None
        files: files other than images and masks that the data depend on
        draw: draws the mask (H, W) of an item from its annotations, given its two files; None if masks are image files
        remarks: what else the user should know, each a sentence
        layout: the name of the layout, as the user may set it
    """

    items: Sequence[Item]
    what: str = ""
    unpaired: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    left_out: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    unlabelled: Sequence[Path] = ()
    classes: ClassFile | None = None
    files: Sequence[Path] = ()
    draw: Callable[[Path, Path], np.ndarray] | None = None
    remarks: Sequence[str] = ()
    layout: str = ""


class Layout(Protocol):
    """A module of this package that reads one layout."""

    LOOKS_FOR: str
    """What the layout consists of, in a few words."""

    def recognises(self, root: Path) -> bool:
        """Return whether a path has this layout, from the names of files and folders alone."""

    def find(self, root: Path, wanted: Wanted) -> Found:
        """Find the images and masks. Raises RequestError, with the path, if the layout cannot be read."""
