"""Textures of the grounds of Mars.

Each texture function of a ground returns two fields (H, W): the relief, in pixels of height, and the albedo (brightness
of the material), as a factor around 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import Field, Region, Size, cells, lowest, pixels, smooth_noise

# Exponent of the perspective. Above 1, distances in depth shrink faster than widths, as on a plane seen at a low angle.
FORESHORTENING = 1.3


@dataclass(frozen=True)
class Ground:
    """Hold a plane seen in perspective; all fields are (H, W).

    `x` and `y` are the position on the plane at each pixel, in units of a pixel of the lowest row. `scale` is the size
    of things there relative to the lowest row, at most 1.
    """

    x: Field
    y: Field
    scale: Field


def plane(size: Size, horizon: float, far_scale: float) -> Ground:
    """Return the plane in front of a camera, from the row `horizon`, with scale `far_scale`, to the lowest row."""
    row, column = pixels(size)
    nearness = np.clip((row - horizon) / max(size[0] - 1 - horizon, 1), 0, 1)
    scale = far_scale + (1 - far_scale) * nearness
    y = np.cumsum(scale**-FORESHORTENING, axis=0)
    x = (column - size[1] / 2) / scale
    return Ground(x, np.broadcast_to(y, x.shape), np.broadcast_to(scale, x.shape))


def soil(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Draw the texture of soil: grains, and pebbles that are too small to be big rocks."""
    distance, _, cell_value = cells(rng, ground.x, ground.y, rng.uniform(4.2, 6))
    # Only some cells hold a pebble; most pebbles are small.
    room = np.clip((cell_value - rng.uniform(0.55, 0.85)) * 0.7, 0, 0.2)
    pebble = np.clip(room - distance**2, 0, None)
    grain = 2 * ndimage.gaussian_filter(rng.standard_normal(ground.x.shape), 0.5)
    relief = 4.0 * np.sqrt(pebble) * ground.scale + 0.13 * grain
    return relief, 1 + 0.09 * grain + np.where(pebble > 0, rng.normal(0, 0.15), 0)


def bedrock(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Draw the texture of bedrock: plates between cracks, with tilted layers."""
    bend = 2.5 * smooth_noise(rng, ground.x.shape, 12.0)
    _, edge, cell_value = cells(rng, ground.x + bend, 1.8 * (ground.y + bend), rng.uniform(13, 20))
    # Cracks become deeper and shallower along their length.
    depth = np.clip(0.8 + 0.5 * smooth_noise(rng, ground.x.shape, 10.0), 0.2, 1)
    crack = 1 - depth * np.clip(1 - edge / 0.17, 0, 1)
    tilt = rng.normal(0, 0.25)
    across = ground.y * np.cos(tilt) + ground.x * np.sin(tilt) + bend + 5 * cell_value
    layers = rng.random(512)
    bed = layers[np.floor(across / rng.uniform(1.7, 2.6)).astype(int) % 512]
    layered = rng.uniform(0.4, 1.5)
    relief = (1.4 * (crack - 1) + 0.8 * layered * (bed - 0.5)) * ground.scale
    return relief, (0.4 + 0.6 * crack) * (1 + 0.35 * (cell_value - 0.5) + 0.3 * layered * (bed - 0.5))


def sand(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Draw the texture of sand: smooth, with wind ripples that bend, fork and fade."""
    turn = rng.normal(0, 0.45)
    length = rng.uniform(7, 11)
    bend = 0.35 * length * smooth_noise(rng, ground.x.shape, 14.0)
    phase = 2 * np.pi * (ground.y * np.cos(turn) + ground.x * np.sin(turn) + bend) / length
    height = np.clip(0.8 + 0.3 * smooth_noise(rng, ground.x.shape, 20.0), 0.5, 1.2)
    # Ripples are not symmetric: a long gentle slope on one side, a short steep one on the other.
    ripple = np.sin(phase + 0.5 * np.sin(phase)) * height
    relief = 0.05 * length * ripple * ground.scale
    # Dark grains collect in the troughs.
    return relief, 1 + 0.11 * ripple


@dataclass(frozen=True)
class Boulders:
    """Hold the region of big rocks, their relief, and the region of their shadows; all are (H, W)."""

    region: Region
    relief: Field
    shadow: Region


def boulders(rng: np.random.Generator, ground: Region, scale: Field, area: float, sun: Field) -> Boulders:
    """Draw faceted rocks on `ground` that cover `area` pixels in total; `sun` (x, y, height) points to the light."""
    row, column = pixels(ground.shape)
    count = max(1, round(area / rng.uniform(90, 220)))
    outline = np.full(ground.shape, np.inf)
    cast = outline.copy()
    size = np.ones(ground.shape)
    # Put boulders where a whole one fits; if there is no such place, put them anywhere on the ground.
    roomy = ndimage.binary_erosion(ground, iterations=max(1, round(np.sqrt(area / count / np.pi))))
    for place in rng.choice(np.flatnonzero(roomy if roomy.any() else ground), count):
        middle, centre = divmod(int(place), ground.shape[1])
        radius = np.sqrt(area / count / np.pi) * rng.uniform(0.8, 1.2) * scale[middle, centre]
        facets = np.linspace(0, 2 * np.pi, 7, endpoint=False) + rng.uniform(-0.35, 0.35, 7)
        reach = radius * rng.uniform(0.75, 1.2, 7) * (1 - 0.3 * np.abs(np.sin(facets)))
        boulder = _polygon(column - centre, row - middle, facets, reach)
        nearer = boulder < outline
        outline, size = np.where(nearer, boulder, outline), np.where(nearer, radius, size)
        # The shadow is flat: the same outline, compressed vertically and moved away from the sun.
        length = 1.1 * radius
        away = column - centre + length * sun[0], (row - middle - 0.3 * radius + 0.4 * length * sun[1]) * 1.5
        cast = np.minimum(cast, _polygon(*away, facets, reach))
    region = lowest(outline, area, ground)
    edge = max(float(outline[region].max(initial=0)), 1e-6)
    # Facets rise from the outline to a flat top.
    height = np.clip(1.2 - outline / edge, 0, 0.65) + 0.03 * smooth_noise(rng, ground.shape, 3.0)
    return Boulders(region, np.where(region, 1.15 * size * height, 0), (cast < edge) & ~region)


def _polygon(x: Field, y: Field, directions: Field, reach: Field) -> Field:
    """Return the relative distance of (x, y) from the centre of a convex polygon: 1 on its edge.

    The sides of the polygon are at the distance `reach` from the centre, in the given directions (radians).
    """
    sides = [(x * np.cos(d) + y * np.sin(d)) / max(r, 0.3) for d, r in zip(directions, reach, strict=True)]
    return np.asarray(np.max(sides, axis=0))


def sky_and_range(rng: np.random.Generator, size: Size, bottom: float) -> Field:
    """Draw the brightness (H, W) of a dusty sky above distant hills that end at about the row `bottom`."""
    row, _ = pixels(size)
    ridge = bottom * rng.uniform(0.35, 0.85) + 0.12 * bottom * smooth_noise(rng, (1, size[1]), size[1] / 5)
    ridge = ridge + 0.6 * smooth_noise(rng, (1, size[1]), 3.0)
    sky = rng.uniform(1.1, 1.7) * (1 + 0.15 * row / size[0])
    haze = np.clip((row - ridge) / max(bottom, 1.0), 0, 1)
    hills = rng.uniform(0.55, 0.95) * (1 - 0.25 * haze) * (1 + 0.04 * smooth_noise(rng, size, 7.0))
    return np.where(row < ridge, sky, hills)


def deck(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """Draw the deck of the rover in the corner (0, 0).

    Returns its outline, a field that grows away from the corner and may be cut at any level, and its brightness.
    """
    a, b = rng.uniform(0.8, 2.2), rng.uniform(0.5, 1.0)
    outline = np.maximum(np.maximum(x / a, y / b), (x / a + y / b) / rng.uniform(1.25, 1.7))
    tone = rng.choice([0.35, 0.6, 1.5])
    panel = np.where((outline % 9 < 1) | (x % 17 < 1), 0.6, 1.0)
    bolts = np.where((x % 6 < 1) & (y % 6 < 1), 1.5, 1.0)
    return outline, tone * panel * bolts


def wheel(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """Draw a wheel of the rover with its treads; the result is like that of `deck`."""
    centre = rng.uniform(-6, 4)
    radius, angle = np.hypot(x - centre, y - centre / 2), np.arctan2(y - centre / 2, x - centre)
    tread = np.where(np.sin(20 * angle + radius / 9) > 0.3, 1.1, 0.35)
    spokes = np.where(np.abs(np.sin(3 * angle)) < 0.25, 0.7, 0.25)
    return radius, np.where(radius > 12, tread, spokes)
