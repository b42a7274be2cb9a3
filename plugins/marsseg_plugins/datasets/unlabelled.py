"""Read the images of a folder that have no labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from marsseg_core.plugin_api import (
    IMAGES,
    VOID,
    CacheSource,
    ImageReader,
    Range,
    Writer,
    cached_images,
    note_scaling,
    note_warnings,
)

from .pairs import Colour, as_coloured, check_same
from .resizing import Resizing


def read_unlabelled(
    name: str,
    paths: Sequence[Path],
    labelled: Sequence[Path],
    resizing: Resizing,
    colour: Colour,
    value_range: Range,
    *,
    upright: bool,
    limit: int,
) -> np.ndarray:
    """Return the images without labels (M, H, W, C) uint8: scaled, converted, resized and cut as the labelled ones."""

    def prepare(writer: Writer) -> None:
        # The range is that of the images with labels, as networks know them.
        picture = ImageReader(labelled or paths, value_range, limit=limit, upright=upright)
        first: tuple[int, ...] = ()
        for position, path in enumerate(paths):
            image = as_coloured(picture(path), colour)
            for piece, _, _ in resizing.pieces(image, np.full(image.shape[:2], VOID, np.uint8)):
                first = first or piece.shape
                check_same(path, piece.shape, paths, first)
                writer.append(IMAGES, piece[None])
            writer.progress(position + 1, len(paths))
        note_scaling(writer, picture.converter)
        note_warnings(writer, picture.turning())

    options = {
        "dataset": "folder, without labels",
        "resizing": astuple(resizing),
        "colour": colour,
        "range": repr(value_range),
        "upright": upright,
        "count": len(paths),
    }
    return cached_images(CacheSource(name, [*paths, *labelled], options), prepare)
