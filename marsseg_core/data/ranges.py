"""Determine which values of a data set are black and white: as requested, or by rules from all of its images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, Self, get_args

import numpy as np

from ..errors import RequestError
from .scaling import SIXTEEN_BITS, Numbers, Per, Scaling, exact, numbers_of

# The bit depths of integers above 8 bits: cameras have 10, 12 or 14, mosaics and stretched images 16.
_DEPTHS: Final = (10, 12, 14, 16)

# Percentiles of a data set are computed with a histogram of this many bins from its lowest to its highest value.
_BINS: Final = 2**16

# A number does not end with a point, so that 0...5 means 0 to 0.5.
_NUMBER: Final = r"([+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
_VALUES: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}(?:@({'|'.join(get_args(Numbers))}))?")
_PERCENTILES: Final = re.compile(rf"{_NUMBER}%\.\.{_NUMBER}%")


@dataclass(frozen=True)
class Range:
    """Hold a request for the values of a source that become 0 and 255.

    As text:

    - `auto`: by rules, from all images (`determine_scaling`)
    - `bits`: by the bit depth of each file: 0…255 for 8 bits, 0…65535 for 16
    - `LOW..HIGH`: these values; with `@integers`, `@floats` or `@bytes` only for such numbers, and `auto` for others
    - `LOW%..HIGH%`: these percentiles of all values of the data set, or with `per="image"` of each image's values

    Attributes:
        rule: which of these four is meant
        low: the value or percentile that becomes 0
        high: the value or percentile that becomes 255
        numbers: the kind of numbers that the values are for; None for any
        per: whether percentiles are those of the whole data set ("set") or of each image ("image")
    """

    rule: Literal["auto", "bits", "values", "percentiles"]
    low: float = 0.0
    high: float = 0.0
    numbers: Numbers | None = None
    per: Per = "set"

    @classmethod
    def parse(cls, text: str, per: Per = "set") -> Self:
        """Parse a range.

        Args:
            text: one of the forms that the class describes
            per: "image" to use percentiles of each image

        Returns:
            The range.

        Raises:
            ValueError: if the text is not a range; the message says what is wrong with it
        """
        parsed: Self
        if text in ("auto", "bits"):
            parsed = cls("auto" if text == "auto" else "bits", per=per)
        elif match := _PERCENTILES.fullmatch(text):
            parsed = cls("percentiles", float(match[1]), float(match[2]), per=per)
            if not 0 <= parsed.low < parsed.high <= 100:
                raise ValueError(f"range={text}: percentiles go from 0 to 100, with the lower one first")
        elif match := _VALUES.fullmatch(text):
            parsed = cls("values", float(match[1]), float(match[2]), _numbers(match[3]), per)
            if not (np.isfinite(parsed.low) and np.isfinite(parsed.high) and parsed.low < parsed.high):
                raise ValueError(f"range={text}: the lower value comes first")
        else:
            raise ValueError(
                f"range={text} is neither auto nor bits, nor two values as in 0..4095, "
                "nor two percentiles as in 1%..99%"
            )
        if per == "image" and parsed.rule != "percentiles":
            raise ValueError("range_per=image needs percentiles, such as range=1%..99%")
        return parsed

    @classmethod
    def of(cls, scaling: Scaling | None) -> Self:
        """Return the range that requests a run's scaling; `auto` for numbers that the scaling is not for, or for None.

        Args:
            scaling: the scaling of a run, or None if it left the values unchanged

        Returns:
            The range.
        """
        return cls.parse("auto") if scaling is None else cls.parse(scaling.range_text, scaling.per)

    def __str__(self) -> str:
        if self.rule in ("auto", "bits"):
            return self.rule
        sign = "%" if self.rule == "percentiles" else ""
        return f"{exact(self.low)}{sign}..{exact(self.high)}{sign}" + (f"@{self.numbers}" if self.numbers else "")


def parse_range(text: str, where: str) -> Range:
    """Parse a range that a user requested; raise RequestError, with the option `where`, if it is invalid."""
    try:
        return Range.parse(text)
    except ValueError as wrong:
        raise RequestError(f"{wrong}.", where=where) from wrong


def _numbers(text: str | None) -> Numbers | None:
    return next((each for each in get_args(Numbers) if each == text), None)


@dataclass(frozen=True)
class ImageChunk:
    """Describe a chunk of images of a source, which is read on demand.

    Attributes:
        dtype: the type of the values
        read: returns the images, (n, …) of `dtype`
        name: `name(i)` returns the name of the i-th image for messages
        where: the file
    """

    dtype: np.dtype
    read: Callable[[], np.ndarray]
    name: Callable[[int], str]
    where: str

    @property
    def numbers(self) -> Numbers:
        """Return the kind of numbers that the images hold."""
        return numbers_of(self.dtype)


ImageChunks = Callable[[], Iterable[ImageChunk]]

RANGE_HINT: Final = "Set the values of black and white: range=LOW..HIGH, or percentiles: range=1%..99%."


def first_of_each(chunks: Iterable[ImageChunk]) -> dict[np.dtype, ImageChunk]:
    """Return the first chunk of each dtype."""
    first: dict[np.dtype, ImageChunk] = {}
    for chunk in chunks:
        first.setdefault(chunk.dtype, chunk)
    return first


def determine_scaling(wanted: Range, first: Mapping[np.dtype, ImageChunk], chunks: ImageChunks) -> Scaling | None:
    """Determine the scaling of a source from the requested range and, if necessary, from the values of all images.

    The rules of `auto`, which look at all images:

    - 8-bit values are 0…255
    - integers up to 255 are unchanged; higher ones have the smallest of 10, 12, 14 and 16 bits that holds all of them
    - floats from 0 to 1 are scaled from 0…1; those up to 255 are unchanged, apart from rounding
    - everything else is refused, also floats that are all 0 or 1

    Args:
        wanted: the requested range
        first: the first chunk of each dtype
        chunks: returns an iterable over all images; called only where their values decide, and then at most twice

    Returns:
        The scaling; None if the values are 0…255 already.

    Raises:
        RequestError: if the values are refused, if values that are read are NaN or infinite, or if the images hold
            different kinds of numbers for which one range does not suffice
    """
    if wanted.per == "image":
        return Scaling(wanted.low, wanted.high, per="image")
    kinds = {numbers_of(dtype): chunk for dtype, chunk in first.items()}
    if {"integers", "floats"} <= set(kinds):
        refuse(
            kinds["floats"],
            "holds floats, others hold whole numbers",
            "Store all images with the same type of numbers.",
        )
    wide = next((kind for kind in kinds if kind != "bytes"), None)
    if wanted.rule == "bits":
        return _by_depth(first)
    numbers = wanted.numbers or wide or "bytes"
    if wanted.rule == "auto" or numbers not in kinds:
        return None if wide is None else _by_rules(wide, _find_extremes(chunks, wide))
    if len(kinds) > 1 and (wanted.numbers in (None, "bytes")):
        hint = f"range={Range('values', wanted.low, wanted.high)}@{wide} leaves images of 8 bits unchanged."
        hint = hint if wanted.rule == "values" else "Store all images with the same bit depth, or set range_per=image."
        refuse(kinds["bytes"], "has 8 bits, others have more: one range does not fit both", hint)
    if wanted.rule == "percentiles":
        return _by_percentiles(wanted, chunks, numbers)
    return Scaling(wanted.low, wanted.high, numbers)


def _by_depth(first: Mapping[np.dtype, ImageChunk]) -> Scaling | None:
    for dtype, chunk in first.items():
        if dtype not in (np.uint8, np.uint16):
            refuse(chunk, f"holds {dtype} values: their range is unknown", RANGE_HINT)
    return SIXTEEN_BITS if np.dtype(np.uint16) in first else None


@dataclass(frozen=True)
class _Extremes:
    """Hold the lowest and highest value of all images, the images that have them, and whether all values are 0 or 1."""

    lowest: float
    highest: float
    lowest_in: tuple[ImageChunk, int]
    highest_in: tuple[ImageChunk, int]
    binary: bool


def _find_extremes(chunks: ImageChunks, numbers: Numbers) -> _Extremes:
    """Read all images with this kind of numbers and find their extreme values."""
    # Only the chunks with the extremes are kept: those of a large image hold all its pixels.
    lowest: tuple[float, ImageChunk, int] | None = None
    highest: tuple[float, ImageChunk, int] | None = None
    binary = True
    for chunk in chunks():
        if chunk.numbers != numbers:
            continue
        values = finite(chunk.read(), chunk)
        axes = tuple(range(1, values.ndim))
        minima, maxima = values.min(axis=axes), values.max(axis=axes)
        least, greatest = int(minima.argmin()), int(maxima.argmax())
        if lowest is None or minima[least] < lowest[0]:
            lowest = float(minima[least]), chunk, least
        if highest is None or maxima[greatest] > highest[0]:
            highest = float(maxima[greatest]), chunk, greatest
        binary = binary and bool(((values == 0) | (values == 1)).all())
    assert lowest is not None  # `determine_scaling` has a chunk of this kind
    assert highest is not None
    return _Extremes(lowest[0], highest[0], lowest[1:], highest[1:], binary)


def _by_rules(numbers: Numbers, extremes: _Extremes) -> Scaling | None:
    if extremes.lowest < 0:
        refuse(extremes.lowest_in, f"has values below 0, down to {extremes.lowest:g}", RANGE_HINT)
    if numbers == "floats" and extremes.highest == 1 and extremes.binary:
        what = "has, like all others, only the values 0 and 1: is 1 white, or nearly black?"
        refuse(extremes.highest_in, what, "Set range=0..1 or range=0..255.")
    if numbers == "floats" and 0 < extremes.highest <= 1:
        return Scaling(0, 1, "floats")
    if extremes.highest <= 255:
        return None
    depth = next((bits for bits in _DEPTHS if extremes.highest < 2**bits), None)
    if numbers == "floats" or depth is None:
        refuse(extremes.highest_in, f"has values up to {extremes.highest:g}, for which there is no rule", RANGE_HINT)
    return Scaling(0, 2**depth - 1, "integers")


def _by_percentiles(wanted: Range, chunks: ImageChunks, numbers: Numbers) -> Scaling:
    extremes = _find_extremes(chunks, numbers)
    low, span = extremes.lowest, extremes.highest - extremes.lowest
    # Integers of up to 16 bits have one bin each.
    step = 1.0 if numbers != "floats" and span < _BINS else span / (_BINS - 1)
    counts = np.zeros(_BINS, np.int64)
    for chunk in chunks():
        if chunk.numbers == numbers and span > 0:
            bins = np.floor((chunk.read().astype(np.float64) - low) / step + 1e-9).astype(np.int64)
            counts += np.bincount(bins.ravel(), minlength=_BINS)[:_BINS]
    ends = []
    for percent in (wanted.low, wanted.high):
        reached = int(np.searchsorted(np.cumsum(counts), max(1, percent / 100 * counts.sum())))
        ends.append(low + step * reached)
    if not ends[0] < ends[1]:
        refuse(
            extremes.highest_in,
            f"and all others have {ends[0]:g} at both percentiles of {wanted}",
            "Choose other percentiles, or values: range=LOW..HIGH.",
        )
    return Scaling(ends[0], ends[1], numbers)


def finite(values: np.ndarray, chunk: ImageChunk) -> np.ndarray:
    """Return the values; raise RequestError about the first image with values that are NaN or infinite."""
    if values.dtype.kind == "f":
        invalid = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if invalid.any():
            hint = "Replace missing values in the images first, for example by 0."
            refuse((chunk, int(invalid.argmax())), "has values that are NaN or infinite", hint)
    return values


def refuse(which: ImageChunk | tuple[ImageChunk, int], what: str, hint: str) -> NoReturn:
    """Raise RequestError about an image: the first of a chunk, or the one with the index that is passed with it."""
    chunk, item = which if isinstance(which, tuple) else (which, 0)
    raise RequestError(f"{chunk.name(item)} {what}.", where=chunk.where, hint=hint)
