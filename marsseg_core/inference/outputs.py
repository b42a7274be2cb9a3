"""Write predictions to files: masks of class ids, coloured overlays, and probabilities."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

from ..data.images import read_mask, write_mask, write_png
from ..errors import RequestError
from ..evaluation.confusion import decode
from ..figures.colours import class_colours, hex_code, paint
from ..figures.legend import legend
from ..figures.panels import brightened
from ..files.atomic import atomic_write, refuse_existing, write_bytes
from ..files.npy import write_npy_header
from .ensemble import Classes

# The weight of the class colour in an overlay; the rest is the image.
_COLOUR_SHARE: Final = 0.4


class Outputs:
    """Write a new folder of predictions.

    It has `masks/`, `classes.json`, and where requested `overlays/` with `legend.png`, and `probabilities/`. The folder
    is created with the first file, unless it was `created` before, and each file is written atomically.
    """

    def __init__(
        self,
        folder: Path,
        classes: Classes,
        *,
        overlays: bool = False,
        probabilities: bool = False,
        created: bool = False,
    ) -> None:
        self._folder = folder
        self._classes = classes
        self._overlays = overlays
        self._probabilities = probabilities
        self._colours = class_colours(classes.names, own_colours=classes.colours)
        self._created = created

    def with_probabilities(
        self, name: str, shape: tuple[int, ...], row_strips: Iterator[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Return the row strips of an image's probabilities; where requested, write each strip when it is consumed.

        `shape` is that of the image, (H, W, C).
        """
        if not self._probabilities:
            return row_strips
        return written(row_strips, self._file("probabilities", name, ".npy"), shape[:2])

    def write(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        """Write the labels (H, W) of an image (H, W, C) as a mask, and where requested as an overlay."""
        write_mask(self._file("masks", name, ".png"), labels, paint(np.arange(256, dtype=np.uint8), self._colours))
        if self._overlays:
            write_png(self._file("overlays", name, ".png"), overlay(image, labels, self._colours))

    def read(self, name: str, pixel_limit: int) -> np.ndarray:
        """Read the labels (H, W) that were written for an image."""
        return read_mask(self._file("masks", name, ".png"), limit=pixel_limit)

    def remove_if_empty(self) -> None:
        """Remove the folder if nothing was predicted."""
        if not (self._folder / "masks").exists():
            shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        if not self._created:
            self.create()
        return self._folder / kind / f"{name}{suffix}"

    def create(self) -> None:
        """Create the folder with `classes.json`. Raises RequestError where it exists or cannot be created."""
        refuse_existing(self._folder)
        try:
            self._folder.mkdir(parents=True)
        except OSError as cause:
            raise RequestError(f"The folder cannot be created: {cause.strerror}.", where=str(self._folder)) from cause
        classes = [
            {"id": c, "name": name, "colour": hex_code(colour), "ignored": c in self._classes.ignore_classes}
            for c, (name, colour) in enumerate(zip(self._classes.names, self._colours, strict=True))
        ]
        text = json.dumps({"schema": 1, "classes": classes}, indent=2) + "\n"
        write_bytes(self._folder / "classes.json", text.encode())
        if self._overlays:
            write_png(self._folder / "legend.png", legend(self._classes.names, self._colours))
        self._created = True


def written(row_strips: Iterator[np.ndarray], path: Path, size: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield row strips (h, W, K) of an array of a size (H, W), and write each to an .npy file when it is consumed."""
    first = next(row_strips)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        write_npy_header(file, (*size, first.shape[-1]), np.dtype("<f4"))
        for strip in chain((first,), row_strips):
            file.write(strip.astype("<f4").tobytes())
            yield strip


def labels_of(row_strips: Iterator[np.ndarray], ignore_classes: tuple[int, ...]) -> np.ndarray:
    """Convert row strips of probabilities (h, W, K) to labels (H, W) uint8, without the ignored classes."""
    return np.concatenate([decode(strip, ignore_classes) for strip in row_strips])


def overlay(image: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Blend the brightened image (H, W, C) with the colours of its classes; return (H, W, 3) uint8."""
    darkened = ((1 - _COLOUR_SHARE) * np.arange(256)).astype(np.uint8)
    tints = (_COLOUR_SHARE * colours).astype(np.uint8)
    blended: np.ndarray = darkened[brightened(image)] + paint(labels, tints)
    return blended
