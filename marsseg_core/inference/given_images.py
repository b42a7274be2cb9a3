"""Check images that are passed as arrays, and convert their values as the run converted its training images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np

from ..data.conversion import Converter
from ..data.ranges import ImageChunk, Range, finite
from ..data.scaling import SIXTEEN_BITS, Scaling, exact, numbers_of
from ..errors import RequestError

_WHERE: Final = "images"


def images_of(images: Any) -> Iterable[Any]:
    """Return `images` if it is an iterable. Raises RequestError where it is a single image, or something else.

    The images themselves are not checked here.
    """
    if isinstance(images, np.ndarray) and images.ndim != 4:
        hint = "Pass a single image as [image]." if images.ndim in (2, 3) else None
        if images.ndim == 3 and images.shape[-1] not in (1, 3):
            hint = "Pass several grey images as images[..., None]."
        raise RequestError(
            f"Images must be an iterable of arrays or one array (N, H, W, C), not an array of shape {images.shape}.",
            where=_WHERE,
            hint=hint,
        )
    if isinstance(images, str | bytes | dict) or hasattr(images, "__fspath__") or not isinstance(images, Iterable):
        raise RequestError(
            f"Images must be an iterable of arrays, not {type(images).__name__}.",
            where=_WHERE,
            hint="Predict files with the command `marsseg predict`, or read them into arrays first.",
        )
    return images


class GivenImages:
    """Check images one by one, and convert each to uint8 (H, W, C).

    `requested` is the range of values from black to white that the user requests, for the number types that it applies
    to. Without it, values are scaled as in the run (`scaling`), and 8-bit values are not changed.

    Raises RequestError where `requested` is a range that is computed from a whole set of images.
    """

    def __init__(self, requested: Range | None, scaling: Scaling | None) -> None:
        if requested is not None and requested.rule in ("auto", "percentiles"):
            raise RequestError(
                f"range={requested} is computed from a whole set of images, but images are read one by one here.",
                where="range",
                hint="Pass two values, as in range='0..4095', or range='bits'.",
            )
        self._requested = requested
        self._scaling = scaling
        self._converters: dict[Scaling | None, Converter] = {}

    def __call__(self, images: Iterable[Any]) -> Iterator[np.ndarray]:
        """Yield the converted images in order. Raises RequestError for an invalid image or an ambiguous value range."""
        for item, image in enumerate(images):
            yield self._read(item, image)

    def doubts(self) -> list[str]:
        """Return warnings that the range may be wrong. Call it when all images have been read."""
        return [line for converter in self._converters.values() for line in converter.doubts()]

    def _read(self, item: int, value: Any) -> np.ndarray:
        image = self._array(item, value)
        chunk = ImageChunk(image.dtype, lambda: image[None], lambda _: f"Image {item}", _WHERE)
        finite(chunk.read(), chunk)
        scaling = self._scaling_for(item, image.dtype)
        converter = self._converters.setdefault(scaling, Converter(scaling))
        converted: np.ndarray = converter(chunk)[0]
        return converted

    @staticmethod
    def _array(item: int, value: Any) -> np.ndarray:
        """Return an image as an array (H, W, C). Raises RequestError where it is no image."""
        try:
            image = np.asarray(value)
        except (ValueError, TypeError) as cause:
            _refuse(item, f"is not an array: {cause}")
        hint = "Images are uint8 arrays (H, W) or (H, W, C)."
        if image.dtype.kind not in "iuf":
            _refuse(item, f"has the type {image.dtype}, which is not numeric", hint)
        if image.ndim not in (2, 3) or not image.size:
            _refuse(item, f"has the shape {image.shape}, which is not the shape of an image", hint)
        image = image if image.ndim == 3 else image[..., None]
        if image.shape[-1] not in (1, 3):
            hint = "A colour image must have its channels last."
            _refuse(item, f"has the shape {image.shape}: {image.shape[-1]} channels instead of 1 or 3", hint)
        return image

    def _scaling_for(self, item: int, dtype: np.dtype) -> Scaling | None:
        """Return how values of this type are scaled (None: not at all). Raises RequestError where this is unknown."""
        numbers, requested, recorded = numbers_of(dtype), self._requested, self._scaling
        if requested is not None and requested.rule == "values" and requested.numbers in (None, numbers):
            return Scaling(requested.low, requested.high, numbers)
        if requested is not None and requested.rule == "bits" and dtype == np.uint16:
            return SIXTEEN_BITS
        if recorded is not None and (recorded.per == "image" or recorded.numbers == numbers):
            return recorded
        if numbers != "bytes":
            _refuse(
                item,
                f"has the type {dtype}, and it is not known which values mean black and white",
                f"Pass these two values, as in range='0..{exact(1 if numbers == 'floats' else 4095)}'; "
                "or convert values that are 0 to 255 already to uint8.",
            )
        return None


def _refuse(item: int, what: str, hint: str | None = None) -> NoReturn:
    raise RequestError(f"Image {item} {what}.", where=_WHERE, hint=hint)
