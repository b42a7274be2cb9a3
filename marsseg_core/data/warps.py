"""Warps: where the pixels of a new image come from. Warps that follow each other are joined into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal

import numpy as np

from ..conventions import VOID
from .opencv import by_channels, opencv

Fill = Literal["edge", "mirror", "black"]
"""Name how an image continues beyond its edges: with the nearest pixel, mirrored, or black. Masks are void there."""

# The names of the modes in OpenCV.
_BORDERS: Final = {"edge": "BORDER_REPLICATE", "mirror": "BORDER_REFLECT", "black": "BORDER_CONSTANT"}


@dataclass(frozen=True, eq=False)
class Warp:
    """Describe how the pixels of one image and its mask are moved.

    Args:
        places: The row and the column of the old image from which each pixel of the new one comes. They may lie between
            pixels. Either a matrix (2, 3) that maps (row, column, 1) of the new image to (row, column) of the old one,
            or an array (2, H, W) of all rows and all columns.
        fill: How the image continues beyond its edges: `edge`, `mirror` or `black`. The mask is void there. None for a
            warp that takes no pixel from outside, such as a flip.

    Raises:
        ValueError: Where `places` has another shape or a number that is not finite, or `fill` is another word.
    """

    places: np.ndarray
    fill: Fill | None = "edge"

    def __post_init__(self) -> None:
        places = np.asarray(self.places)
        if places.dtype not in (np.float32, np.float64):
            places = places.astype(np.float64)  # OpenCV takes no other numbers
        object.__setattr__(self, "places", places)
        shape = places.shape
        if shape != (2, 3) and not (len(shape) == 3 and shape[0] == 2):
            raise ValueError(f"the places of a warp have the shape {shape}, not (2, 3) or (2, height, width)")
        if not np.isfinite(self.places).all():
            raise ValueError("the places of a warp are not finite")
        if self.fill is not None and self.fill not in _BORDERS:
            raise ValueError(f"the fill of a warp is {self.fill!r}, not one of {', '.join(_BORDERS)}")

    @classmethod
    def about_centre(cls, matrix: np.ndarray, height: int, width: int, fill: Fill = "edge") -> Warp:
        """Return the warp that applies a matrix (2, 2) about the centre of the image.

        Args:
            matrix: It maps (row, column) of the new image to (row, column) of the old one, from the centre.
            height: The number of rows of the image.
            width: The number of columns of the image.
            fill: How the image continues beyond its edges.
        """
        centre = np.array([height - 1, width - 1]) / 2
        return cls(np.column_stack([matrix, centre - matrix @ centre]), fill)

    @classmethod
    def by_offsets(cls, offsets: np.ndarray, fill: Fill = "edge") -> Warp:
        """Return the warp that takes each pixel from its own place plus an offset.

        Args:
            offsets: Numbers of rows and of columns, (2, H, W).
            fill: How the image continues beyond its edges.
        """
        return cls(_grid(*offsets.shape[1:]) + np.asarray(offsets, np.float32), fill)

    def can_follow(self, earlier: Warp) -> bool:
        """Return whether this warp can be joined with an earlier one: the image continues in the same way in both.

        After a warp with a place for each pixel, only one that takes no pixel from outside can: which places there are
        outside is not known.
        """
        if earlier.places.ndim == 3 and self.fill is not None:
            return False
        return None in (self.fill, earlier.fill) or self.fill == earlier.fill

    def after(self, earlier: Warp) -> Warp:
        """Return one warp that does what `earlier` and then this one do; see `can_follow`.

        The image is interpolated once, and what leaves it in the first warp and comes back in the second is not lost.
        """
        if earlier.places.ndim == 2:
            places = _affine(earlier.places, self.places)
        elif self.places.ndim == 2:
            places = _sampled(earlier.places, _affine(self.places, _grid(*earlier.places.shape[1:])))
        else:
            places = _sampled(earlier.places, self.places)
        return Warp(places, self.fill or earlier.fill)

    def apply(self, image: np.ndarray, mask: np.ndarray) -> None:
        """Move the pixels of an image (H, W, C) float32 in [0, 1] and of its mask (H, W) uint8, in place.

        The image is interpolated bilinearly, and the mask takes the nearest pixel. Nothing is interpolated where whole
        pixels are moved.
        """
        cv2 = opencv()
        border = getattr(cv2, _BORDERS[self.fill or "edge"])
        if (move := self._whole_pixels) is not None:
            new_mask = move(np.ascontiguousarray(mask), cv2.BORDER_CONSTANT, VOID)
            for old, new in ((image, by_channels(lambda part: move(part, border, 0), image)), (mask, new_mask)):
                if not np.may_share_memory(old, new):  # a flip can be done in place
                    old[...] = new
            return
        sample = _sampler(self.places, *mask.shape)
        interpolated = by_channels(lambda part: sample(part, cv2.INTER_LINEAR, border, 0), image)
        np.clip(interpolated, 0, 1, out=image)  # bilinear weights sum to 1 only up to rounding errors
        mask[...] = sample(mask, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, VOID)

    @cached_property
    def _whole_pixels(self) -> Callable[[np.ndarray, int, int], np.ndarray] | None:
        """Return a function that flips and shifts an image by whole pixels; None for any other warp.

        The image must be contiguous, and may be changed.
        """
        if self.places.ndim == 3:
            return None
        (row_by_row, row_by_column, row), (column_by_row, column_by_column, column) = self.places.tolist()
        whole = row_by_column == column_by_row == 0 and abs(row_by_row) == abs(column_by_column) == 1
        if not (whole and row == round(row) and column == round(column)):
            return None
        flips = row_by_row < 0, column_by_column < 0
        cv2 = opencv()

        def move(image: np.ndarray, border: int, outside: int) -> np.ndarray:
            height, width = image.shape[:2]
            if any(flips):
                image = cv2.flip(image, -1 if all(flips) else int(flips[1]), dst=image)
            # Row i of the new image is row i + down of the flipped one.
            down, right = int(height - 1 - row if flips[0] else row), int(width - 1 - column if flips[1] else column)
            if down or right:
                sides = max(0, -down), max(0, down), max(0, -right), max(0, right)
                image = cv2.copyMakeBorder(image, *sides, border, value=outside)
                image = image[max(0, down) :, max(0, right) :][:height, :width]
            return image

        return move


class WarpTransform:
    """Warp images and masks as an augmentation draws it: a transform that can be joined with its neighbours."""

    def __init__(self, draw: Callable[[int, int, Sequence[np.random.Generator]], Sequence[Warp]]) -> None:
        self._draw = draw

    def draw(self, height: int, width: int, generators: Sequence[np.random.Generator]) -> Sequence[Warp]:
        """Return the warp of each image of a batch."""
        return self._draw(height, width, generators)

    def __call__(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Move the pixels of images (B, H, W, C) and masks (B, H, W), in place, and return both."""
        height, width = masks.shape[1:]
        for image, mask, warp in zip(images, masks, self.draw(height, width, generators), strict=True):
            warp.apply(image, mask)
        return images, masks


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> np.ndarray:
    """Return the row and the column of each pixel, (2, H, W) float32."""
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float32)
    grid.setflags(write=False)
    return grid


def _affine(matrix: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Apply a matrix (2, 3) to places, which are a matrix (2, 3) or an array (2, H, W)."""
    if places.ndim == 2:
        moved: np.ndarray = matrix @ np.vstack([places, [0, 0, 1]])
    else:
        by_row, by_column, start = np.asarray(matrix, np.float32).T[:, :, None, None]
        moved = by_row * places[0] + by_column * places[1] + start
    return moved


def _sampled(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the values of places (2, H, W) at other places; beyond the edges, pixels move as the nearest ones do."""
    offsets = field - _grid(*field.shape[1:])
    cv2 = opencv()
    sample = _sampler(places, *field.shape[1:])
    moved: np.ndarray = places + np.stack([sample(each, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE, 0) for each in offsets])
    return moved


def _sampler(places: np.ndarray, height: int, width: int) -> Callable[[np.ndarray, int, int, int], np.ndarray]:
    """Return a function that takes an image at the places; its arguments are those of OpenCV."""
    cv2 = opencv()
    if places.ndim == 2:
        x_and_y = places[::-1, [1, 0, 2]]

        def sample(image: np.ndarray, method: int, border: int, outside: int) -> Any:
            flags = method | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(image, x_and_y, (width, height), flags=flags, borderMode=border, borderValue=outside)
    else:
        rows, columns = np.ascontiguousarray(places, np.float32)

        def sample(image: np.ndarray, method: int, border: int, outside: int) -> Any:
            return cv2.remap(image, columns, rows, method, borderMode=border, borderValue=outside)

    return sample
