"""Read an image and its mask, and check that they match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from marsseg_core.plugin_api import VOID, ImageReader, Palette, orientation_of, read_mask, refuse_file

from .classes import binary_ids
from .pairs import Pair, check_ids

# What the colours of masks are if they are binary and no class file says otherwise.
_BLACK_AND_WHITE: Final = {(0, 0, 0): 0, (255, 255, 255): VOID}


class PairReader:
    """Read the pairs of a folder: an image (H, W, C) and a mask (H, W) of class ids.

    If `names` is None, any id is a class; `classes` returns their number after all pairs are read. With `indices`, the
    indices of palette masks are the ids, and not those that `palette` has for their colours. `ids` gives the id of each
    value, if they differ. With `draw`, masks are drawn from annotations, by the two files of a pair: the names of pairs
    may be others than those that the annotations have. Raises RequestError, with the file, if a pair cannot be used.
    """

    def __init__(
        self,
        picture: ImageReader,
        names: Sequence[str] | None,
        palette: Palette,
        binary: bool,
        upright: bool,
        limit: int,
        *,
        indices: bool = False,
        ids: Mapping[int, int] | None = None,
        draw: Callable[[Path, Path], np.ndarray] | None = None,
    ) -> None:
        self._picture = picture
        self._names = names
        self._palette = palette or (_BLACK_AND_WHITE if binary else None)
        self._binary = binary
        self._upright = upright
        self._limit = limit
        self._indices = indices
        self._ids = ids
        self._draw = draw
        self._highest = 1 if binary else -1

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image = self._picture(pair.image)
        mask = self._mask(pair)
        if mask.shape != image.shape[:2]:
            self._refuse_sizes(pair, mask, image)
        if self._binary:
            mask, other = binary_ids(mask)
            if other is not None:
                refuse_file(
                    pair.mask, f"The mask holds the value {other}; with binary=true, masks may hold only 0 and {VOID}."
                )
        if self._names is not None:
            check_ids(pair.mask, mask, self._names)
        self._highest = max(self._highest, int(mask.max(where=mask != VOID, initial=0)) if (mask != VOID).any() else -1)
        return image, mask

    def _mask(self, pair: Pair) -> np.ndarray:
        if self._draw is not None:
            return self._draw(pair.image, pair.mask)
        mask = read_mask(
            pair.mask,
            limit=self._limit,
            palette=self._palette,
            indices=self._indices,
            upright=self._upright,
            names=self._names,
        )
        return numbered(pair.mask, mask, self._ids) if self._ids else mask

    def classes(self, folder: str) -> int:
        """Return the number of classes: the highest id in the masks read so far, plus 1.

        Raises RequestError, for the folder, if there is none.
        """
        if self._highest < 0:
            refuse_file(
                folder,
                f"All pixels of all masks are void ({VOID}): there is no class.",
                hint=f"If {VOID} is a class, set binary=true.",
            )
        return self._highest + 1

    def _refuse_sizes(self, pair: Pair, mask: np.ndarray, image: np.ndarray) -> None:
        sizes = [f"{rows} × {columns}" for rows, columns in (mask.shape, image.shape[:2])]
        if self._draw is not None:
            refuse_file(pair.mask, f"The annotations are for {sizes[0]} pixels, but {pair.name} has {sizes[1]}.")
        tags = [orientation_of(path, limit=self._limit) for path in (pair.mask, pair.image)]
        message, hint = f"The mask has {sizes[0]} pixels, but its image has {sizes[1]}.", None
        if self._upright and tags != [1, 1]:
            message = (
                f"After they are turned by their EXIF orientations (mask {tags[0]}, image {tags[1]}), the mask has "
                f"{sizes[0]} pixels, but its image has {sizes[1]}."
            )
            hint = "If the mask was drawn on the image as it is stored, set orientation=stored."
        refuse_file(pair.mask, message, hint=hint)


def numbered(path: Path, values: np.ndarray, ids: Mapping[int, int]) -> np.ndarray:
    """Return the ids of the values of a mask. Raises RequestError if a value has none."""
    if unknown := sorted(set(np.unique(values).tolist()) - ids.keys()):
        refuse_file(path, f"The mask holds the value {unknown[0]}, which is the id of no class.")
    id_of_value = np.full(VOID + 1, VOID, np.uint8)
    id_of_value[list(ids)] = list(ids.values())
    numbers: np.ndarray = id_of_value[values]
    return numbers
