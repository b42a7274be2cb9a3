"""Generate scenes of Mars: the regions of the classes, the light of the sun, and labels as people would draw them.

A scene depends only on the seed and on its number. First the areas of the classes are drawn, so that each has the
right mean over many scenes. Then each region gets exactly its area.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from . import textures
from .fields import Field, Region, Size, lowest, pixels, smooth_noise
from .mars import MARS_CLASSES
from .shares import LARGEST_ROCK_AREA, LEAST_GROUND, Targets

Image = NDArray[np.uint8]

BACKGROUND, SOIL, BEDROCK, SAND, BIG_ROCK = range(len(MARS_CLASSES))
TEXTURES = {SOIL: textures.soil, BEDROCK: textures.bedrock, SAND: textures.sand}

# Bare rock is pale and basalt sand is dark. But the brightness of the regions (TONE_SPREAD is the standard deviation of
# its logarithm) and the exposure vary as much, so a grey value alone says little about the class.
TONES = {SOIL: 0.9, BEDROCK: 1.25, SAND: 0.7}
TONE_SPREAD = 0.13
ROCK_TONE = (1.4, 1.8)
SHADOW = 0.25

# Steps of Roberts' additive sequence in three dimensions. Consecutive scenes fill the unit cube evenly, so that even
# small sets come close to the requested shares.
STEPS = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])


@dataclass(frozen=True)
class Areas:
    """Hold the areas in one scene, as fractions of its pixels; `grounds` are (class, fraction of the rest)."""

    background: float
    rock: float
    grounds: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Backdrop:
    """Hold the region and brightness of sky, hills and rover, and the row of the horizon (0 if there is none)."""

    region: Region
    brightness: Field
    horizon: float


def scene(seed: int, number: int, size: Size, targets: Targets, label_noise: float) -> tuple[Image, Image]:
    """Return the image and the mask (H, W) of scene `number`; mask edges are wrong by about `label_noise` pixels."""
    rng = np.random.default_rng([seed, number])
    total = size[0] * size[1]
    areas = _areas(rng, seed, number, targets)
    margin = _margin(rng, size, areas.background * total)
    backdrop = _backdrop(rng, size, areas.background * total - np.count_nonzero(margin))
    open_ground = ~backdrop.region
    classes, tones = _regions(rng, open_ground, areas.grounds)

    far = rng.uniform(0.45, 0.6) if backdrop.horizon > 0 else rng.uniform(0.6, 0.95)
    ground = textures.plane(size, backdrop.horizon, far)
    relief, albedo = _textured(rng, ground, classes)
    grey, sun = tones * albedo, _sun(rng)
    if areas.rock and open_ground.any():
        rocks = textures.boulders(rng, open_ground, ground.scale, max(1.0, areas.rock * total), sun)
        relief = np.where(rocks.region, rocks.relief, relief)
        grey = np.where(rocks.region, rng.uniform(*ROCK_TONE), np.where(rocks.shadow, SHADOW * grey, grey))
        classes = np.where(rocks.region, BIG_ROCK, classes).astype(np.uint8)
    grey = grey * _lit(relief, sun) * (1 + 0.1 * smooth_noise(rng, size, 40.0))
    image = _photographed(rng, np.where(backdrop.region, backdrop.brightness, grey))

    mask = _labelled(rng, classes, label_noise)
    mask[margin] = BACKGROUND
    return image, mask


def _areas(rng: np.random.Generator, seed: int, number: int, targets: Targets) -> Areas:
    """Draw the areas of the classes in a scene, so that their means over many scenes are the targets."""
    rock_place, background_place, ground_place = (np.random.default_rng(seed).random(3) + number * STEPS) % 1
    background, *grounds, rock = targets.shares
    has_rock = rock > 0 and rock_place < targets.rock_images
    mean_rock = rock / targets.rock_images if has_rock else 0.0
    # A power of a uniform number can have any mean: most scenes have little background, some have a lot.
    most = min(3 * background, 1 - LEAST_GROUND - LARGEST_ROCK_AREA * mean_rock if has_rock else 1.0)
    background = most * background_place ** (most / background - 1) if background else 0.0
    spread = LARGEST_ROCK_AREA - 1
    # Each class is drawn independently, and a class may be drawn twice. The weights do not depend on the class, so the
    # mean of each class stays correct.
    count = rng.choice([1, 2, 3], p=[0.3, 0.45, 0.25])
    places = np.array([ground_place, *rng.random(count - 1)])
    drawn = SOIL + np.searchsorted(np.cumsum(grounds), places * sum(grounds), side="right").clip(max=len(grounds) - 1)
    weights = rng.dirichlet(np.full(count, 3.0))
    return Areas(
        background,
        mean_rock * rng.uniform(1 - spread, 1 + spread),
        tuple(zip(drawn.tolist(), weights.tolist(), strict=True)),
    )


def _margin(rng: np.random.Generator, size: Size, at_most: float) -> Region:
    """Draw an unlabelled strip at the left or right, up to 3 pixels wide; empty if that is more than `at_most`."""
    _, column = pixels(size)
    width = int(rng.integers(0, 4))
    side = np.broadcast_to(column if rng.random() < 0.5 else size[1] - 1 - column, size)
    return lowest(side, width * size[0] if width * size[0] <= at_most else 0)


def _backdrop(rng: np.random.Generator, size: Size, area: float) -> Backdrop:
    """Draw `area` pixels of sky above distant hills, of the rover, or of both."""
    row, column = pixels(size)
    kind = rng.random()
    above = 1.0 if kind < 0.5 or area > size[0] * size[1] / 2 else 0.0 if kind < 0.8 else 0.6
    horizon = above * area / size[1]
    region, brightness = np.zeros(size, bool), np.ones(size)
    if horizon:
        skyline = 0.15 * horizon * smooth_noise(rng, (1, size[1]), size[1] / 4)
        skyline = skyline + 0.5 * smooth_noise(rng, (1, size[1]), 3.0)
        region = lowest(row - skyline, above * area)
        brightness = textures.sky_and_range(rng, size, horizon)
    if above < 1:
        x = column if rng.random() < 0.5 else size[1] - 1 - column
        hardware = textures.wheel if rng.random() < 0.35 else textures.deck
        outline, tones = hardware(rng, x, size[0] - 1 - row)
        rover = lowest(outline, area - np.count_nonzero(region), ~region)
        rim = outline > outline[rover].max(initial=0) - 1.2
        brightness = np.where(rover, np.where(rim, 1.6, tones), brightness)
        region |= rover
    return Backdrop(region, brightness, horizon)


def _regions(rng: np.random.Generator, free: Region, grounds: tuple[tuple[int, float], ...]) -> tuple[Image, Field]:
    """Divide the free pixels into smooth regions; return their classes and their brightness, both (H, W)."""
    size = free.shape
    row, column = pixels(size)
    classes, tones = np.zeros(size, np.uint8), np.ones(size)
    total = np.count_nonzero(free)
    for position, (label, weight) in enumerate(grounds, start=1):
        area = weight * total if position < len(grounds) else free.size
        slope = rng.normal(0, 1.5, 2)
        height = smooth_noise(rng, size, 0.4 * size[0]) + 0.12 * smooth_noise(rng, size, 4.0)
        region = lowest(height + slope[0] * row / size[0] + slope[1] * column / size[1], area, free)
        classes[region] = label
        tones[region] = TONES[label] * np.exp(rng.normal(0, TONE_SPREAD))
        free = free & ~region
    return classes, tones


def _textured(rng: np.random.Generator, ground: textures.Ground, classes: Image) -> tuple[Field, Field]:
    """Return the relief and the albedo of the ground; each class has its own texture."""
    relief, albedo = np.zeros(classes.shape), np.ones(classes.shape)
    for label, texture in TEXTURES.items():
        here = classes == label
        if here.any():
            class_relief, class_albedo = texture(rng, ground)
            relief, albedo = np.where(here, class_relief, relief), np.where(here, class_albedo, albedo)
    return relief, albedo


def _sun(rng: np.random.Generator) -> Field:
    """Draw the direction to the sun: a vector (x to the right, y down, height) of length 1.

    The light never comes from the bottom of the image, because boulders lit from there look like craters.
    """
    azimuth = -np.pi / 2 + rng.uniform(-1.4, 1.4)
    height = np.radians(rng.uniform(28, 48))
    return np.array([np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height)])


def _lit(relief: Field, sun: Field) -> Field:
    """Return the brightness of a relief by Lambert's law, relative to level ground."""
    down, right = np.gradient(relief)
    towards = sun[2] - sun[0] * right - sun[1] * down
    return np.asarray(np.clip(towards / np.sqrt(1 + right**2 + down**2) / sun[2], 0.25, 1.8))


def _photographed(rng: np.random.Generator, brightness: Field) -> Image:
    """Turn brightness into a grey image (H, W) with a random exposure, and the blur and noise of a camera."""
    grey = rng.uniform(60, 95) * ndimage.gaussian_filter(brightness, 0.45) + rng.normal(0, 1.2, brightness.shape)
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def _labelled(rng: np.random.Generator, classes: Image, label_noise: float) -> Image:
    """Return the classes as a person would label them, with slightly wrong edges."""
    if not label_noise:
        return classes.copy()
    row, column = pixels(classes.shape)
    down = np.rint(row + label_noise * smooth_noise(rng, classes.shape, 4.0)).astype(int)
    right = np.rint(column + label_noise * smooth_noise(rng, classes.shape, 4.0)).astype(int)
    drawn = classes[down.clip(0, classes.shape[0] - 1), right.clip(0, classes.shape[1] - 1)]
    return np.asarray(drawn)
