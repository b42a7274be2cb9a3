"""The augmentations of a run on a batch: probabilities, random draws, and warps that are joined."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg_core.data.transforms import apply_transforms
from marsseg_core.data.warps import Warp, WarpTransform

HEIGHT, WIDTH, COUNT = 16, 20, 6


def turn(low, high, fill="edge"):
    """A rotation by an angle, in degrees, that is drawn between two."""

    def draw(height, width, generators):
        angles = [np.radians(generator.uniform(low, high)) for generator in generators]
        return [
            Warp.about_centre(np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]), height, width, fill)
            for a in angles
        ]

    return WarpTransform(draw)


def darker(images, masks, generators):
    for image, generator in zip(images, generators, strict=True):
        image *= np.float32(generator.uniform(0.5, 1))
    return images, masks


def copied(images, masks, generators):
    return images + 0, masks + 0


def scene():
    random = np.random.default_rng(0)
    images = random.random((COUNT, HEIGHT, WIDTH, 1), np.float32)
    return images, random.integers(0, 4, (COUNT, HEIGHT, WIDTH), np.uint8)


def generators():
    return [np.random.default_rng([5, i]) for i in range(COUNT)]


def applied(transforms, chosen=slice(None)):
    images, masks = (array[chosen].copy() for array in scene())
    drawn = generators()[chosen]
    apply_transforms(transforms, images, masks, drawn)
    return images, masks, [generator.bit_generator.state for generator in drawn]


def one_by_one(transforms):
    """Each transform on single images, as they are written, without joining."""
    images, masks = scene()
    drawn = generators()
    for transform, p in transforms:
        for i, generator in enumerate(drawn):
            if generator.random() < p:
                part = slice(i, i + 1)
                images[part], masks[part] = transform(images[part], masks[part], [generator])
    return images, masks, [generator.bit_generator.state for generator in drawn]


def same(first, second):
    for one, other in zip(first[:2], second[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    return first[2] == second[2]


def test_neighbouring_warps_are_one():
    """A turn and its opposite give back every pixel; interpolated twice, they would blur the image."""
    images, masks = scene()
    new_images, new_masks, _ = applied([(turn(20, 20), 1), (turn(-20, -20), 1)])
    np.testing.assert_allclose(new_images, images, atol=1e-5)
    np.testing.assert_array_equal(new_masks, masks)


@pytest.mark.parametrize(
    "between", [[(darker, 1)], [(copied, 1)], [(turn(0, 0, "black"), 1)]], ids=["in place", "copy", "other fill"]
)
def test_something_else_between_them_keeps_them_apart(between):
    transforms = [(turn(20, 20), 1), *between, (turn(-20, -20), 1)]
    assert same(applied(transforms), one_by_one(transforms))


@pytest.mark.parametrize("p", [1, 0.5])
def test_without_neighbours_everything_is_as_one_by_one(p):
    for transforms in ([(darker, p), (copied, p)], [(darker, p), (turn(0, 20), p), (darker, 1), (copied, p)]):
        assert same(applied(transforms), one_by_one(transforms))


def test_the_random_draws_do_not_depend_on_what_is_joined():
    transforms = [(turn(0, 20), 0.5), (turn(-30, 30), 0.5), (darker, 0.5), (turn(0, 10), 0.5)]
    assert applied(transforms)[2] == one_by_one(transforms)[2]


def test_an_image_does_not_depend_on_its_batch():
    transforms = [(turn(0, 20), 0.5), (turn(-30, 30), 0.5), (darker, 0.5), (turn(0, 10, "mirror"), 0.5)]
    together = applied(transforms)
    for i in range(COUNT):
        alone = applied(transforms, slice(i, i + 1))
        np.testing.assert_array_equal(alone[0][0], together[0][i])
        np.testing.assert_array_equal(alone[1][0], together[1][i])
