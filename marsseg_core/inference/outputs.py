"""What is written of predictions: masks of class ids, overlays in colours, probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ..data.images import write_png
from ..errors import RequestError
from ..evaluation.confusion import decode
from ..figures.colours import class_colours, hex_code, paint
from ..figures.panels import brightened
from ..files.atomic import atomic_write, refuse_existing, write_bytes
from ..files.npy import write_npy_header
from .ensemble import Classes

# How much of an overlay is colour; the rest is the image.
_COLOUR_SHARE: Final = 0.4


class Outputs:
    """A new folder of predictions: `masks/`, on request `overlays/` and `probabilities/`, and `classes.json`.

    The folder is made with the first file. Each file is written whole or not at all.
    """

    def __init__(self, folder: Path, classes: Classes, *, overlays: bool = False, probabilities: bool = False) -> None:
        self._folder = folder
        self._classes = classes
        self._overlays = overlays
        self._probabilities = probabilities
        self._colours = class_colours(len(classes.names))
        self._begun = False

    def keep(self, name: str, shape: tuple[int, ...], row_strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The row strips of probabilities of an image (H, W, C); where asked for, each is written as it passes."""
        return self._written(name, shape, row_strips) if self._probabilities else row_strips

    def write(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        """The labels (H, W) of an image (H, W, C) as a mask, and over the image."""
        write_png(self._file("masks", name, ".png"), labels)
        if self._overlays:
            write_png(self._file("overlays", name, ".png"), overlay(image, labels, self._colours))

    def _written(self, name: str, shape: tuple[int, ...], row_strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        first = next(row_strips)
        with atomic_write(self._file("probabilities", name, ".npy")) as temporary, temporary.open("wb") as file:
            write_npy_header(file, (*shape[:2], first.shape[-1]), np.dtype("<f4"))
            file.write(first.astype("<f4").tobytes())
            yield first
            for strip in row_strips:
                file.write(strip.astype("<f4").tobytes())
                yield strip

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        if not self._begun:
            self._begin()
        return self._folder / kind / f"{name}{suffix}"

    def _begin(self) -> None:
        """Make the folder, with what the ids in it mean. RequestError where it exists or cannot be made."""
        refuse_existing(self._folder)
        try:
            self._folder.mkdir(parents=True)
        except OSError as cause:
            raise RequestError(f"The folder cannot be made: {cause.strerror}.", where=str(self._folder)) from cause
        described = [
            {"id": c, "name": name, "colour": hex_code(colour), "ignored": c in self._classes.ignore_classes}
            for c, (name, colour) in enumerate(zip(self._classes.names, self._colours, strict=True))
        ]
        text = json.dumps({"schema": 1, "classes": described}, indent=2) + "\n"
        write_bytes(self._folder / "classes.json", text.encode())
        self._begun = True


def labels_of(row_strips: Iterator[np.ndarray], ignore_classes: tuple[int, ...]) -> np.ndarray:
    """Probabilities in row strips (h, W, K) → labels (H, W) uint8, none of them of an ignored class."""
    return np.concatenate([decode(strip, ignore_classes) for strip in row_strips])


def overlay(image: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """The image (H, W, C), brightened, with the classes' colours over it: (H, W, 3) uint8."""
    shade = ((1 - _COLOUR_SHARE) * np.arange(256)).astype(np.uint8)
    tint = (_COLOUR_SHARE * colours).astype(np.uint8)
    over: np.ndarray = shade[brightened(image)] + paint(labels, tint)
    return over
