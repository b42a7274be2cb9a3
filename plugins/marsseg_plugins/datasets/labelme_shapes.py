"""Draw the shapes of labelme into a mask, with the same calls of Pillow as labelme's own conversion to masks."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

Point = tuple[float, float]

# The sizes that labelme itself takes: of lines in pixels, and of points as radius.
_LINE_WIDTH: Final = 10
_POINT_RADIUS: Final = 5

# How far from the image a point may be, in sizes of the image: Pillow draws what is outside, too.
_FARTHEST: Final = 100


class ShapeError(ValueError):
    """Report a shape that cannot be drawn; the text says why."""


def draw_shape(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Return the pixels (H, W) bool that a shape covers in an image of this size; raise ShapeError if it is wrong."""
    kind = shape.get("shape_type") or "polygon"
    points = _points(shape.get("points"), size)
    if kind == "mask":
        return _drawn_mask(shape.get("mask"), points, size)
    if not isinstance(kind, str) or kind not in _DRAWING:
        raise ShapeError(f"there is no kind of shape {str(kind)[:40]!r}")
    fewest, most, draw = _DRAWING[kind]
    if not fewest <= len(points) <= most:
        raise ShapeError(f"a {kind} cannot have {len(points)} points")
    picture = Image.new("1", size[::-1])
    draw(ImageDraw.Draw(picture), points)
    return np.array(picture)


def _points(points: Any, size: tuple[int, int]) -> list[Point]:
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise ShapeError("its points are not a list")
    farthest = _FARTHEST * max(size)
    checked = []
    for point in points:
        if (
            not isinstance(point, Sequence)
            or len(point) != 2
            or not all(type(value) in (int, float) for value in point)
        ):
            raise ShapeError("a point is not two numbers")
        if not all(abs(value) <= farthest for value in point):  # also of NaN
            raise ShapeError("a point is far outside the image")
        checked.append((float(point[0]), float(point[1])))
    return checked


def _polygon(canvas: ImageDraw.ImageDraw, points: list[Point]) -> None:
    canvas.polygon(points, outline=1, fill=1)


def _rectangle(canvas: ImageDraw.ImageDraw, points: list[Point]) -> None:
    xs, ys = zip(*points, strict=True)
    canvas.rectangle([(min(xs), min(ys)), (max(xs), max(ys))], outline=1, fill=1)


def _circle(canvas: ImageDraw.ImageDraw, points: list[Point]) -> None:
    _disc(canvas, points[0], math.dist(*points))


def _dots(canvas: ImageDraw.ImageDraw, points: list[Point]) -> None:
    for point in points:
        _disc(canvas, point, _POINT_RADIUS)


def _disc(canvas: ImageDraw.ImageDraw, centre: Point, radius: float) -> None:
    x, y = centre
    canvas.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)


def _line(canvas: ImageDraw.ImageDraw, points: list[Point]) -> None:
    canvas.line(points, fill=1, width=_LINE_WIDTH)


_MANY: Final = 10**6

# For each kind of shape: the fewest and the most points, and how it is drawn.
_DRAWING: Final[Mapping[str, tuple[int, int, Callable[[ImageDraw.ImageDraw, list[Point]], None]]]] = {
    "polygon": (3, _MANY, _polygon),
    "oriented_rectangle": (3, _MANY, _polygon),
    "rectangle": (2, 2, _rectangle),
    "circle": (2, 2, _circle),
    "line": (2, 2, _line),
    "linestrip": (2, _MANY, _line),
    "point": (1, 1, _dots),
    "points": (1, _MANY, _dots),
}


def _drawn_mask(content: Any, points: list[Point], size: tuple[int, int]) -> np.ndarray:
    """Return a shape that is a small mask: a PNG in base64, between its first and its last pixel."""
    if len(points) != 2 or not isinstance(content, str):
        raise ShapeError("a mask needs two points and an image")
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in points)
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(base64.b64decode(content, validate=True))) as picture:
            if picture.size != (right - left + 1, bottom - top + 1):
                raise ShapeError("the image of its mask does not have the size that its points say")
            inside = np.array(picture.convert("L")) > 0
    except ShapeError:
        raise
    except Exception as cause:  # whatever a decoder raises for damaged content
        raise ShapeError(f"the image of its mask cannot be read: {cause}") from cause
    if not (left >= 0 and top >= 0 and right < size[1] and bottom < size[0]):
        raise ShapeError("its mask is not inside the image")
    mask = np.zeros(size, bool)
    mask[top : bottom + 1, left : right + 1] = inside
    return mask
