"""Images given as arrays: checked one by one, and seen as the run saw the images that it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

import numpy as np

from ..data.conversion import Converter
from ..data.ranges import Piece, Range, finite
from ..data.scaling import SIXTEEN_BITS, Scaling, exact, numbers_of
from ..errors import RequestError

_WHERE: Final = "images"


def images_of(given: Any) -> Iterable[Any]:
    """What is given as several images, not yet looked at. RequestError where it is one image, or none at all."""
    if isinstance(given, np.ndarray) and given.ndim != 4:
        hints = {
            2: "A single image is given as [image].",
            3: "A single image in colour is given as [image], several grey ones as images[..., None].",
        }
        raise RequestError(
            f"Several images are expected, one after the other or as an array (N, H, W, C); "
            f"this is an array of shape {given.shape}.",
            where=_WHERE,
            hint=hints.get(given.ndim),
        )
    if isinstance(given, str | bytes | dict) or hasattr(given, "__fspath__") or not isinstance(given, Iterable):
        raise RequestError(
            f"Images are arrays, one after the other, not {type(given).__name__}.",
            where=_WHERE,
            hint="Files are predicted by the command `marsseg predict`, or read into arrays first.",
        )
    return given


class GivenImages:
    """Checks images and makes them uint8, (H, W, C) each.

    `wanted` says which values are black and white, for all numbers that it is for; without it they are seen as the
    run saw such numbers (`scaling`), and 8 bits as they are.
    """

    def __init__(self, wanted: Range | None, scaling: Scaling | None) -> None:
        if wanted is not None and wanted.rule in ("auto", "percentiles"):
            raise RequestError(
                f"range={wanted} is found from a whole set, and images come one by one here.",
                where="range",
                hint="Give two values, as in range='0..4095', or range='bits'.",
            )
        self._wanted = wanted
        self._scaling = scaling
        self._converters: dict[Scaling | None, Converter] = {}

    def __call__(self, images: Iterable[Any]) -> Iterator[np.ndarray]:
        """The images, in order. Raises RequestError for what is no image, or whose values may mean several things."""
        for item, image in enumerate(images):
            yield self._read(item, image)

    def doubts(self) -> list[str]:
        """What suggests another range, once the images are read."""
        return [line for converter in self._converters.values() for line in converter.doubts()]

    def _read(self, item: int, given: Any) -> np.ndarray:
        image = self._array(item, given)
        piece = Piece(image.dtype, lambda: image[None], lambda _: f"Image {item}", _WHERE)
        finite(piece.read(), piece)
        scaling = self._scaling_for(item, image.dtype)
        converter = self._converters.setdefault(scaling, Converter(scaling))
        converted: np.ndarray = converter(piece)[0]
        return converted

    @staticmethod
    def _array(item: int, given: Any) -> np.ndarray:
        try:
            image = np.asarray(given)
        except (ValueError, TypeError) as cause:
            _refuse(item, f"is no array: {cause}")
        if image.dtype.kind not in "iuf":
            _refuse(item, f"holds {image.dtype}, not numbers", "Images are uint8 arrays (H, W) or (H, W, C).")
        if image.ndim not in (2, 3) or not image.size:
            hint = "Images are uint8 arrays (H, W) or (H, W, C)."
            _refuse(item, f"has the shape {image.shape}, which is that of no image", hint)
        image = image if image.ndim == 3 else image[..., None]
        if image.shape[-1] not in (1, 3):
            hint = "An image in colour has its channels last."
            _refuse(item, f"has the shape {image.shape}: {image.shape[-1]} channels, where 1 or 3 are expected", hint)
        return image

    def _scaling_for(self, item: int, dtype: np.dtype) -> Scaling | None:
        """How such numbers are scaled; RequestError where nothing says it."""
        numbers, wanted, kept = numbers_of(dtype), self._wanted, self._scaling
        if wanted is not None and wanted.rule == "values" and wanted.numbers in (None, numbers):
            return Scaling(wanted.low, wanted.high, numbers)
        if wanted is not None and wanted.rule == "bits" and dtype == np.uint16:
            return SIXTEEN_BITS
        if kept is not None and (kept.per == "image" or kept.numbers == numbers):
            return kept
        if numbers != "bytes":
            _refuse(
                item,
                f"holds {dtype}, and nothing says which of its values are black and white",
                f"Say range='0..{exact(1 if numbers == 'floats' else 4095)}', with the values that are; "
                "values that are 0 to 255 already are given as uint8.",
            )
        return None


def _refuse(item: int, what: str, hint: str | None = None) -> NoReturn:
    raise RequestError(f"Image {item} {what}.", where=_WHERE, hint=hint)
