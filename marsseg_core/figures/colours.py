"""Colour classes alike, in every figure and on the page; readable with any colour vision.

The first colours are chosen for Mars: background, soil (rust), bedrock (sky), sand (yellow), big rock (indigo).
Further ones are found, one by one, as far as possible from all before them, as seen with normal vision, with
deuteranopia and with protanopia. Grey means that ground counts in no score.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import numpy as np

NEUTRAL = "#bdbdbd"
"""Colour ground that counts in no score."""

INK = "#222222"
"""Colour text and lines."""

FIRST = ("#006d5b", "#d55e00", "#56b4e9", "#efd93c", "#2d1e8f")

# Colours a new one must keep away from, beside the classes': the page, the ink and the neutral grey.
RESERVED = ("#ffffff", INK, NEUTRAL)
CANDIDATE_STEPS = 13
LIGHTNESS = (0.3, 0.92)

# Dichromats' view of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1), one matrix per vision.
VISIONS = np.array(
    [
        np.eye(3),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ]
)
# Linear RGB to cone responses, and their cube roots to Oklab (Ottosson 2020), where distance is near what eyes find.
# CIE L*a*b* would set saturated blues too far apart.
TO_CONES = np.array([[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]])
TO_OKLAB = np.array([[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]])


def class_colours(num_classes: int, ignore_classes: Collection[int] = ()) -> np.ndarray:
    """Give a colour to each class id: (K, 3) uint8. A class keeps its own whatever K is; ignored ones are neutral."""
    colours = np.array([rgb(code) for code in _codes(num_classes)], dtype=np.uint8).reshape(num_classes, 3)
    colours[[c for c in ignore_classes if c < num_classes]] = rgb(NEUTRAL)
    return colours


def paint(ids: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint class ids (H, W) uint8 as RGB (H, W, 3) uint8; what is no class (255, void) is neutral."""
    table = np.full((256, 3), rgb(NEUTRAL), dtype=np.uint8)
    table[: len(colours)] = colours
    painted: np.ndarray = table[ids]
    return painted


def hex_code(colour: np.ndarray) -> str:
    """Write a colour (3,) uint8 as '#rrggbb', as CSS and matplotlib read it."""
    return "#" + bytes(int(part) for part in colour).hex()


def rgb(code: str) -> tuple[int, ...]:
    """Read '#rrggbb' as red, green and blue, each from 0 to 255."""
    return tuple(bytes.fromhex(code[1:]))


@cache
def _codes(count: int) -> tuple[str, ...]:
    if count <= len(FIRST):
        return FIRST[:count]
    chosen = list(FIRST)
    candidates = _candidates()
    views = _seen(candidates)
    room = _distances(views, [*RESERVED, *chosen]).min(axis=1)
    while len(chosen) < count:
        code = hex_code(candidates[room.argmax()])
        chosen.append(code)
        room = np.minimum(room, _distances(views, [code])[:, 0])
    return tuple(chosen)


def _candidates() -> np.ndarray:
    """An even grid of RGB colours (n, 3) uint8 that are neither too dark nor too light."""
    levels = np.linspace(0, 255, CANDIDATE_STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = _seen(grid)[:, 0, 0]
    return grid[(lightness > LIGHTNESS[0]) & (lightness < LIGHTNESS[1])]


def _distances(views: np.ndarray, codes: list[str]) -> np.ndarray:
    """Between n seen colours (n, V, 3) and m codes: (n, m), the smallest over the V visions."""
    others = _seen(np.array([rgb(code) for code in codes]))
    apart: np.ndarray = np.linalg.norm(views[:, None] - others[None], axis=-1).min(axis=-1)
    return apart


def _seen(rgb: np.ndarray) -> np.ndarray:
    """sRGB (n, 3) in 0..255 → Oklab (n, V, 3) as each of the V visions sees it."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    cones = np.clip(np.einsum("vij,nj->nvi", VISIONS, linear), 0, 1) @ TO_CONES.T
    lab: np.ndarray = np.cbrt(cones) @ TO_OKLAB.T
    return lab
