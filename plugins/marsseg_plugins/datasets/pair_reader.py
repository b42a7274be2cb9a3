"""An image and its mask, read and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marsseg_core.plugin_api import VOID, ImageReader, Palette, orientation_of, read_mask, refuse_file

from .classes import binary_ids
from .pairs import Pair, check_ids


class PairReader:
    """Reads the pairs of a folder: image (H, W, C) and mask (H, W) of class ids. RequestError names the file.

    Without `names` any id is a class; `classes` says afterwards how many there are.
    """

    def __init__(
        self,
        picture: ImageReader,
        names: Sequence[str] | None,
        palette: Palette,
        binary: bool,
        upright: bool,
        limit: int,
    ) -> None:
        self._picture = picture
        self._names = names
        self._palette = palette or None
        self._binary = binary
        self._upright = upright
        self._limit = limit
        self._highest = 1 if binary else -1

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image = self._picture(pair.image)
        mask = read_mask(pair.mask, limit=self._limit, palette=self._palette, upright=self._upright)
        if mask.shape != image.shape[:2]:
            self._refuse_sizes(pair, mask, image)
        if self._binary:
            mask, other = binary_ids(mask)
            if other is not None:
                refuse_file(pair.mask, f"The mask holds the value {other}; with binary=true masks hold 0 and {VOID}.")
        if self._names is not None:
            check_ids(pair.mask, mask, self._names)
        self._highest = max(self._highest, int(mask.max(where=mask != VOID, initial=0)) if (mask != VOID).any() else -1)
        return image, mask

    def classes(self, folder: str) -> int:
        """How many classes the masks read so far have: ids from 0 to the highest. RequestError where there is none."""
        if self._highest < 0:
            refuse_file(
                folder,
                f"All pixels of all masks are {VOID}, void: there is no class.",
                hint=f"Where {VOID} is a class, say binary=true.",
            )
        return self._highest + 1

    def _refuse_sizes(self, pair: Pair, mask: np.ndarray, image: np.ndarray) -> None:
        sizes = [f"{rows} × {columns}" for rows, columns in (mask.shape, image.shape[:2])]
        tags = [orientation_of(path, limit=self._limit) for path in (pair.mask, pair.image)]
        what, hint = f"The mask has {sizes[0]} pixels, its image {sizes[1]}.", None
        if self._upright and tags != [1, 1]:
            what = (
                f"As their EXIF orientations show them (mask {tags[0]}, image {tags[1]}), the mask has {sizes[0]} "
                f"pixels, its image {sizes[1]}."
            )
            hint = "Where the mask was drawn on the image as it is stored, say orientation=stored."
        refuse_file(pair.mask, what, hint=hint)
