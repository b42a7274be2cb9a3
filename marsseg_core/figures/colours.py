"""Give each class the same colour in every figure and on every page.

The classes of a data set may come with colours. Otherwise they get colours that are distinct with any colour vision.
The first five are chosen for Mars: background (green), soil (rust), bedrock (sky blue), sand (yellow) and big rock
(indigo). Each further colour is as far as possible from all colours before it, as seen with normal vision, with
deuteranopia and with protanopia. Grey marks ground that counts in no score.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np

NEUTRAL = "#bdbdbd"
"""The grey of ground that counts in no score."""

INK = "#222222"
"""The colour of text and lines."""

FIRST = ("#006d5b", "#d55e00", "#56b4e9", "#efd93c", "#2d1e8f")
_MARS = dict(zip(("background", "soil", "bedrock", "sand", "big_rock"), FIRST, strict=True))

# A new colour must also be far from these: the white of the page, the text and the neutral grey.
RESERVED = ("#ffffff", INK, NEUTRAL)
CANDIDATE_STEPS = 13
LIGHTNESS = (0.3, 0.92)

# Two colours of a data set that are closer than this, with normal vision, look alike beside each other.
LEAST_DISTANCE = 0.03

OwnColours: TypeAlias = Sequence[Sequence[int]] | None
"""The red, green and blue (0…255) of each class of a data set; None if its classes have no colours."""

# How normal vision and two kinds of dichromats see linear RGB, one matrix each (Machado, Oliveira and Fernandes 2009,
# severity 1): normal vision, deuteranopia, protanopia.
VISIONS = np.array(
    [
        np.eye(3),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ]
)
# From linear RGB to cone responses, and from their cube roots to Oklab (Ottosson 2020). Distances in Oklab are close to
# perceived differences; in CIE L*a*b* they are too large between saturated blues.
TO_CONES = np.array([[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]])
TO_OKLAB = np.array([[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]])


def class_colours(
    class_names: Sequence[str], ignore_classes: Collection[int] = (), own_colours: OwnColours = None
) -> np.ndarray:
    """Return the colour of each class.

    These are the colours of the data set, unless two of them look alike, as where the grey of a mask is the number of a
    class. Without them, a class of Mars has its own colour, in any list of classes, and the others get, in order, the
    colours that these leave. Ignored classes are grey.

    Args:
        class_names: The names of the K classes.
        ignore_classes: The classes that are ignored.
        own_colours: The colours of the data set.

    Returns:
        RGB colours, (K, 3) uint8.
    """
    if own_colours is not None and _all_distinct(np.array(own_colours, np.uint8)):
        colours = np.array(own_colours, np.uint8)
    else:
        colours = _chosen_colours(class_names)
    colours[[c for c in ignore_classes if c < len(class_names)]] = rgb(NEUTRAL)
    return colours


def _chosen_colours(class_names: Sequence[str]) -> np.ndarray:
    own: dict[str, int] = {}
    for number, name in enumerate(class_names):
        if code := _MARS.get(name.lower().replace(" ", "_").replace("-", "_")):
            own.setdefault(code, number)
    others = iter(code for code in _codes(len(class_names)) if code not in own)
    code_of = {number: code for code, number in own.items()}
    codes = [code_of.get(number) or next(others) for number in range(len(class_names))]
    return np.array([rgb(code) for code in codes], dtype=np.uint8).reshape(-1, 3)


def _all_distinct(colours: np.ndarray) -> bool:
    """Return whether no two of the colours (K, 3) look alike with normal vision."""
    seen = _seen(colours)[:, 0]
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return bool((distances[np.triu_indices(len(colours), 1)] >= LEAST_DISTANCE).all())


def paint(ids: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Convert class ids to the colours of the classes.

    Args:
        ids: Class ids, (H, W) uint8. An id without a colour, such as 255 (void), becomes grey.
        colours: The colour of each class, (K, 3) uint8.

    Returns:
        An RGB image, (H, W, 3) uint8.
    """
    table = np.full((256, 3), rgb(NEUTRAL), dtype=np.uint8)
    table[: len(colours)] = colours
    painted: np.ndarray = table[ids]
    return painted


def hex_code(colour: np.ndarray) -> str:
    """Convert a colour (3,) uint8 to text such as "#d55e00", for CSS and matplotlib."""
    return "#" + bytes(int(channel) for channel in colour).hex()


def rgb(code: str) -> tuple[int, ...]:
    """Convert text such as "#d55e00" to red, green and blue, each from 0 to 255."""
    return tuple(bytes.fromhex(code[1:]))


@cache
def _codes(count: int) -> tuple[str, ...]:
    """Return the colours of so many classes, as texts such as "#d55e00"."""
    if count <= len(FIRST):
        return FIRST[:count]
    chosen = list(FIRST)
    candidates = _candidates()
    seen = _seen(candidates)
    nearest = _distances(seen, [*RESERVED, *chosen]).min(axis=1)
    while len(chosen) < count:
        code = hex_code(candidates[nearest.argmax()])
        chosen.append(code)
        nearest = np.minimum(nearest, _distances(seen, [code])[:, 0])
    return tuple(chosen)


def _candidates() -> np.ndarray:
    """Return a regular grid of RGB colours, (n, 3) uint8, without those that are too dark or too light."""
    levels = np.linspace(0, 255, CANDIDATE_STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = _seen(grid)[:, 0, 0]
    return grid[(lightness > LIGHTNESS[0]) & (lightness < LIGHTNESS[1])]


def _distances(seen: np.ndarray, codes: list[str]) -> np.ndarray:
    """Return the distances between n colours as `_seen` returns them, (n, V, 3), and m colours as texts: (n, m).

    A distance is the smallest one over the V kinds of vision.
    """
    others = _seen(np.array([rgb(code) for code in codes]))
    distances: np.ndarray = np.linalg.norm(seen[:, None] - others[None], axis=-1).min(axis=-1)
    return distances


def _seen(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB colours (n, 3) from 0 to 255 to Oklab (n, V, 3), as each of the V kinds of vision sees them."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    cones = np.clip(np.einsum("vij,nj->nvi", VISIONS, linear), 0, 1) @ TO_CONES.T
    lab: np.ndarray = np.cbrt(cones) @ TO_OKLAB.T
    return lab
