"""What the grounds of Mars look like: a relief to be lit, and how bright the material is.

Each texture gives two fields (H, W): relief in pixels of height, and albedo as a factor around 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import Field, Region, Size, cells, lowest, pixels, smooth_noise

# Steeper than 1 would be a plane seen at an angle that flattens depth faster than width.
FORESHORTENING = 1.3


@dataclass(frozen=True)
class Ground:
    """A plane seen in perspective: at each pixel its place (x, y) in pixels of the lowest row, and how much smaller
    things look than there (`scale`, at most 1). All are (H, W)."""

    x: Field
    y: Field
    scale: Field


def plane(size: Size, horizon: float, far_scale: float) -> Ground:
    """The plane under a camera, from the row `horizon`, where things look `far_scale` as large, to the lowest row."""
    row, column = pixels(size)
    nearness = np.clip((row - horizon) / max(size[0] - 1 - horizon, 1), 0, 1)
    scale = far_scale + (1 - far_scale) * nearness
    y = np.cumsum(scale**-FORESHORTENING, axis=0)
    x = (column - size[1] / 2) / scale
    return Ground(x, np.broadcast_to(y, x.shape), np.broadcast_to(scale, x.shape))


def soil(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Grain, and pebbles too small to be big rocks."""
    distance, _, own = cells(rng, ground.x, ground.y, rng.uniform(4.2, 6))
    # Only some cells hold a pebble; most pebbles are small.
    room = np.clip((own - rng.uniform(0.55, 0.85)) * 0.7, 0, 0.2)
    pebble = np.clip(room - distance**2, 0, None)
    grain = 2 * ndimage.gaussian_filter(rng.standard_normal(ground.x.shape), 0.5)
    relief = 4.0 * np.sqrt(pebble) * ground.scale + 0.13 * grain
    return relief, 1 + 0.09 * grain + np.where(pebble > 0, rng.normal(0, 0.15), 0)


def bedrock(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Plates between cracks, cut by tilted layers."""
    bend = 2.5 * smooth_noise(rng, ground.x.shape, 12.0)
    _, edge, own = cells(rng, ground.x + bend, 1.8 * (ground.y + bend), rng.uniform(13, 20))
    # Cracks open and close along their way.
    depth = np.clip(0.8 + 0.5 * smooth_noise(rng, ground.x.shape, 10.0), 0.2, 1)
    crack = 1 - depth * np.clip(1 - edge / 0.17, 0, 1)
    tilt = rng.normal(0, 0.25)
    across = ground.y * np.cos(tilt) + ground.x * np.sin(tilt) + bend + 5 * own
    layers = rng.random(512)
    bed = layers[np.floor(across / rng.uniform(1.7, 2.6)).astype(int) % 512]
    layered = rng.uniform(0.4, 1.5)
    relief = (1.4 * (crack - 1) + 0.8 * layered * (bed - 0.5)) * ground.scale
    return relief, (0.4 + 0.6 * crack) * (1 + 0.35 * (own - 0.5) + 0.3 * layered * (bed - 0.5))


def sand(rng: np.random.Generator, ground: Ground) -> tuple[Field, Field]:
    """Wind ripples that bend, fork and fade; otherwise smooth."""
    turn = rng.normal(0, 0.45)
    length = rng.uniform(7, 11)
    bend = 0.35 * length * smooth_noise(rng, ground.x.shape, 14.0)
    phase = 2 * np.pi * (ground.y * np.cos(turn) + ground.x * np.sin(turn) + bend) / length
    height = np.clip(0.8 + 0.3 * smooth_noise(rng, ground.x.shape, 20.0), 0.5, 1.2)
    # Ripples lean away from the wind: a gentle slope up, a short one down.
    ripple = np.sin(phase + 0.5 * np.sin(phase)) * height
    relief = 0.05 * length * ripple * ground.scale
    # Dark grains gather in the troughs.
    return relief, 1 + 0.11 * ripple


@dataclass(frozen=True)
class Boulders:
    """Where big rocks lie, their relief, and where their shadows fall. All are (H, W)."""

    region: Region
    relief: Field
    shadow: Region


def boulders(rng: np.random.Generator, ground: Region, scale: Field, area: float, sun: Field) -> Boulders:
    """Faceted rocks on `ground` that cover `area` pixels between them; `sun` points to the light (x, y, height)."""
    row, column = pixels(ground.shape)
    count = max(1, round(area / rng.uniform(90, 220)))
    outline = np.full(ground.shape, np.inf)
    cast = outline.copy()
    size = np.ones(ground.shape)
    # Whole boulders where there is room for them, cut ones elsewhere.
    roomy = ndimage.binary_erosion(ground, iterations=max(1, round(np.sqrt(area / count / np.pi))))
    for place in rng.choice(np.flatnonzero(roomy if roomy.any() else ground), count):
        middle, centre = divmod(int(place), ground.shape[1])
        radius = np.sqrt(area / count / np.pi) * rng.uniform(0.8, 1.2) * scale[middle, centre]
        facets = np.linspace(0, 2 * np.pi, 7, endpoint=False) + rng.uniform(-0.35, 0.35, 7)
        reach = radius * rng.uniform(0.75, 1.2, 7) * (1 - 0.3 * np.abs(np.sin(facets)))
        own = _polygon(column - centre, row - middle, facets, reach)
        nearer = own < outline
        outline, size = np.where(nearer, own, outline), np.where(nearer, radius, size)
        # The shadow lies flat: the same outline, squeezed, on the side away from the sun.
        length = 1.1 * radius
        away = column - centre + length * sun[0], (row - middle - 0.3 * radius + 0.4 * length * sun[1]) * 1.5
        cast = np.minimum(cast, _polygon(*away, facets, reach))
    region = lowest(outline, area, ground)
    edge = max(float(outline[region].max(initial=0)), 1e-6)
    # Facets rise from the outline to a flat top.
    height = np.clip(1.2 - outline / edge, 0, 0.65) + 0.03 * smooth_noise(rng, ground.shape, 3.0)
    return Boulders(region, np.where(region, 1.15 * size * height, 0), (cast < edge) & ~region)


def _polygon(x: Field, y: Field, directions: Field, reach: Field) -> Field:
    """How far (x, y) lies from the middle of a convex polygon; 1 on its edge, `reach` away in each direction."""
    sides = [(x * np.cos(d) + y * np.sin(d)) / max(r, 0.3) for d, r in zip(directions, reach, strict=True)]
    return np.asarray(np.max(sides, axis=0))


def sky_and_range(rng: np.random.Generator, size: Size, bottom: float) -> Field:
    """Brightness (H, W) of a dusty sky over far hills that end at about the row `bottom`."""
    row, _ = pixels(size)
    ridge = bottom * rng.uniform(0.35, 0.85) + 0.12 * bottom * smooth_noise(rng, (1, size[1]), size[1] / 5)
    ridge = ridge + 0.6 * smooth_noise(rng, (1, size[1]), 3.0)
    sky = rng.uniform(1.1, 1.7) * (1 + 0.15 * row / size[0])
    haze = np.clip((row - ridge) / max(bottom, 1.0), 0, 1)
    hills = rng.uniform(0.55, 0.95) * (1 - 0.25 * haze) * (1 + 0.04 * smooth_noise(rng, size, 7.0))
    return np.where(row < ridge, sky, hills)


def deck(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """The rover's deck in the corner (0, 0): its outline, to be cut at any level, and its brightness in units of it."""
    a, b = rng.uniform(0.8, 2.2), rng.uniform(0.5, 1.0)
    outline = np.maximum(np.maximum(x / a, y / b), (x / a + y / b) / rng.uniform(1.25, 1.7))
    tone = rng.choice([0.35, 0.6, 1.5])
    panel = np.where((outline % 9 < 1) | (x % 17 < 1), 0.6, 1.0)
    bolts = np.where((x % 6 < 1) & (y % 6 < 1), 1.5, 1.0)
    return outline, tone * panel * bolts


def wheel(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """A rover's wheel with its treads, as `deck`."""
    centre = rng.uniform(-6, 4)
    radius, angle = np.hypot(x - centre, y - centre / 2), np.arctan2(y - centre / 2, x - centre)
    tread = np.where(np.sin(20 * angle + radius / 9) > 0.3, 1.1, 0.35)
    spokes = np.where(np.abs(np.sin(3 * angle)) < 0.25, 0.7, 0.25)
    return radius, np.where(radius > 12, tread, spokes)
