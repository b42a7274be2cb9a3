"""Which values of a source are black and which white: asked for, or found by rules from the whole set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Literal, NoReturn, Self, get_args

import numpy as np

from ..errors import RequestError
from .scaling import SIXTEEN_BITS, Numbers, Per, Scaling, exact, numbers_of

# What whole numbers beyond 8 bits may have: cameras give 10, 12 or 14, mosaics and stretched images 16.
_DEPTHS: Final = (10, 12, 14, 16)

# Percentiles of a set are found with this many bins between its lowest and its highest value.
_BINS: Final = 2**16

# No point at the end: 0...5 is 0 to 0.5.
_NUMBER: Final = r"([+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
_VALUES: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}(?:@({'|'.join(get_args(Numbers))}))?")
_PERCENTILES: Final = re.compile(rf"{_NUMBER}%\.\.{_NUMBER}%")


@dataclass(frozen=True)
class Range:
    """Ask which values of a source become 0 and 255.

    - `auto`: by rules, from the whole set (`found_scaling`)
    - `bits`: by the bit depth of each file: 0…255 for 8 bits, 0…65535 for 16
    - `LOW..HIGH`: these values; with `@integers`, `@floats` or `@bytes` for such numbers alone, and `auto` for others
    - `LOW%..HIGH%`: these percentiles of all values of the set, or per image of each image's own
    """

    rule: Literal["auto", "bits", "values", "percentiles"]
    low: float = 0.0
    high: float = 0.0
    numbers: Numbers | None = None
    per: Per = "set"

    @classmethod
    def parse(cls, text: str, per: Per = "set") -> Self:
        """Parse the range that `text` asks for.

        Raises:
            ValueError: saying what is wrong with it
        """
        found: Self
        if text in ("auto", "bits"):
            found = cls("auto" if text == "auto" else "bits", per=per)
        elif match := _PERCENTILES.fullmatch(text):
            found = cls("percentiles", float(match[1]), float(match[2]), per=per)
            if not 0 <= found.low < found.high <= 100:
                raise ValueError(f"range={text}: percentiles are from 0 to 100, the lower one first")
        elif match := _VALUES.fullmatch(text):
            found = cls("values", float(match[1]), float(match[2]), _numbers(match[3]), per)
            if not (np.isfinite(found.low) and np.isfinite(found.high) and found.low < found.high):
                raise ValueError(f"range={text}: the lower value stands first")
        else:
            raise ValueError(
                f"range={text} is neither auto nor bits, nor two values as in 0..4095, "
                "nor two percentiles as in 1%..99%"
            )
        if per == "image" and found.rule != "percentiles":
            raise ValueError("range_per=image needs percentiles, such as range=1%..99%")
        return found

    @classmethod
    def of(cls, scaling: Scaling | None) -> Self:
        """Give the range that asks for a run's scaling, and for `auto` where it is for other numbers."""
        return cls.parse("auto") if scaling is None else cls.parse(scaling.range_text, scaling.per)

    def __str__(self) -> str:
        if self.rule in ("auto", "bits"):
            return self.rule
        sign = "%" if self.rule == "percentiles" else ""
        return f"{exact(self.low)}{sign}..{exact(self.high)}{sign}" + (f"@{self.numbers}" if self.numbers else "")


def asked_range(text: str, where: str) -> Range:
    """The range that somebody asked for; RequestError where it is none."""
    try:
        return Range.parse(text)
    except ValueError as wrong:
        raise RequestError(f"{wrong}.", where=where) from wrong


def _numbers(text: str | None) -> Numbers | None:
    return next((each for each in get_args(Numbers) if each == text), None)


@dataclass(frozen=True)
class Piece:
    """Hold some images of a source that are not read yet.

    Attributes:
        dtype: their numbers
        read: gives them, (n, …) of `dtype`
        name: `name(i)` says in a message which the i-th of them is
        where: the file
    """

    dtype: np.dtype
    read: Callable[[], np.ndarray]
    name: Callable[[int], str]
    where: str

    @property
    def numbers(self) -> Numbers:
        return numbers_of(self.dtype)


Pieces = Callable[[], Iterable[Piece]]

SAY_WHICH: Final = "Say which values are black and which white: range=LOW..HIGH, or percentiles: range=1%..99%."


def first_of_each(pieces: Iterable[Piece]) -> dict[np.dtype, Piece]:
    """The first piece of each type of numbers."""
    first: dict[np.dtype, Piece] = {}
    for piece in pieces:
        first.setdefault(piece.dtype, piece)
    return first


def found_scaling(wanted: Range, first: Mapping[np.dtype, Piece], pieces: Pieces) -> Scaling | None:
    """Find the scaling that `wanted` means for these images; None where their values are 0…255 as they are.

    By `auto`, over all images:

    - 8 bits are 0…255
    - whole numbers up to 255 are as they are; higher ones have the smallest of 10, 12, 14 and 16 bits that holds all
    - floats from 0 to 1 are 0…1; those up to 255 are as they are, and rounded
    - all else is refused, and so are floats that are only 0 and 1

    Args:
        wanted: what is asked for
        first: a piece of each type of numbers
        pieces: goes through all images anew each time it is called, which it is only where their values decide

    Raises:
        RequestError: for what is refused, for NaN and infinite values where they are read, and for a mixture of numbers
            of which `wanted` does not say enough
    """
    if wanted.per == "image":
        return Scaling(wanted.low, wanted.high, per="image")
    kinds = {numbers_of(dtype): piece for dtype, piece in first.items()}
    if {"integers", "floats"} <= set(kinds):
        refuse(kinds["floats"], "holds floats, others hold whole numbers", "Store all images of a set alike.")
    wide = next((kind for kind in kinds if kind != "bytes"), None)
    if wanted.rule == "bits":
        return _by_depth(first)
    asked_for = wanted.numbers or wide or "bytes"
    if wanted.rule == "auto" or asked_for not in kinds:
        return None if wide is None else _by_rules(wide, _seen(pieces, wide))
    if len(kinds) > 1 and (wanted.numbers in (None, "bytes")):
        hint = f"range={Range('values', wanted.low, wanted.high)}@{wide} leaves the images of 8 bits as they are."
        hint = hint if wanted.rule == "values" else "Store all images of a set alike, or say range_per=image."
        refuse(kinds["bytes"], "has 8 bits, others have more: one range does not fit both", hint)
    if wanted.rule == "percentiles":
        return _by_percentiles(wanted, pieces, asked_for)
    return Scaling(wanted.low, wanted.high, asked_for)


def _by_depth(first: Mapping[np.dtype, Piece]) -> Scaling | None:
    for dtype, piece in first.items():
        if dtype not in (np.uint8, np.uint16):
            refuse(piece, f"holds {dtype}, which says nothing of its range", SAY_WHICH)
    return SIXTEEN_BITS if np.dtype(np.uint16) in first else None


@dataclass(frozen=True)
class _Seen:
    """The values of all images of one kind of numbers: their ends, and where these are; whether all are 0 or 1."""

    lowest: float
    highest: float
    lowest_in: tuple[Piece, int]
    highest_in: tuple[Piece, int]
    binary: bool


def _seen(pieces: Pieces, numbers: Numbers) -> _Seen:
    lows: list[tuple[float, Piece, int]] = []
    highs: list[tuple[float, Piece, int]] = []
    binary = True
    for piece in pieces():
        if piece.numbers != numbers:
            continue
        values = finite(piece.read(), piece)
        axes = tuple(range(1, values.ndim))
        for ends, each, first in ((lows, values.min(axis=axes), np.argmin), (highs, values.max(axis=axes), np.argmax)):
            ends.append((float(each[first(each)]), piece, int(first(each))))
        binary = binary and bool(((values == 0) | (values == 1)).all())
    low, high = min(lows, key=itemgetter(0)), max(highs, key=itemgetter(0))
    return _Seen(low[0], high[0], low[1:], high[1:], binary)


def _by_rules(numbers: Numbers, seen: _Seen) -> Scaling | None:
    if seen.lowest < 0:
        refuse(seen.lowest_in, f"has values below 0, down to {seen.lowest:g}", SAY_WHICH)
    if numbers == "floats" and seen.highest == 1 and seen.binary:
        what = "has, as all others, no values but 0 and 1: is 1 white, or nearly black?"
        refuse(seen.highest_in, what, "Say range=0..1 or range=0..255.")
    if numbers == "floats" and 0 < seen.highest <= 1:
        return Scaling(0, 1, "floats")
    if seen.highest <= 255:
        return None
    depth = next((bits for bits in _DEPTHS if seen.highest < 2**bits), None)
    if numbers == "floats" or depth is None:
        refuse(seen.highest_in, f"has values up to {seen.highest:g}, for which there is no rule", SAY_WHICH)
    return Scaling(0, 2**depth - 1, "integers")


def _by_percentiles(wanted: Range, pieces: Pieces, numbers: Numbers) -> Scaling:
    seen = _seen(pieces, numbers)
    low, span = seen.lowest, seen.highest - seen.lowest
    # Whole numbers of 16 bits have a bin each.
    step = 1.0 if numbers != "floats" and span < _BINS else span / (_BINS - 1)
    counts = np.zeros(_BINS, np.int64)
    for piece in pieces():
        if piece.numbers == numbers and span > 0:
            places = np.floor((piece.read().astype(np.float64) - low) / step + 1e-9).astype(np.int64)
            counts += np.bincount(places.ravel(), minlength=_BINS)[:_BINS]
    ends = []
    for percent in (wanted.low, wanted.high):
        place = int(np.searchsorted(np.cumsum(counts), max(1, percent / 100 * counts.sum())))
        ends.append(low + step * place)
    if not ends[0] < ends[1] and seen.highest_in is not None:
        refuse(
            seen.highest_in,
            f"and all others have {ends[0]:g} at both percentiles of {wanted}",
            "Take others, or values.",
        )
    return Scaling(ends[0], ends[1], numbers)


def finite(values: np.ndarray, piece: Piece) -> np.ndarray:
    """The values; RequestError where some are NaN or infinite."""
    if values.dtype.kind == "f":
        broken = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if broken.any():
            hint = "Replace what is missing, by 0 for example, before the images are used."
            refuse((piece, int(broken.argmax())), "has values that are NaN or infinite", hint)
    return values


def refuse(which: Piece | tuple[Piece, int], what: str, hint: str) -> NoReturn:
    """RequestError about an image."""
    piece, item = which if isinstance(which, tuple) else (which, 0)
    raise RequestError(f"{piece.name(item)} {what}.", where=piece.where, hint=hint)
