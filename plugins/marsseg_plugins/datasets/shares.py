"""The class shares that a set of synthetic scenes has on average."""

from __future__ import annotations

from dataclasses import dataclass

from .mars import MARS_CLASSES

# In an image with boulders, their area is at most this many times its mean, and at least this share of the image is
# other ground.
LARGEST_ROCK_AREA = 1.5
LEAST_GROUND = 0.1


@dataclass(frozen=True)
class Targets:
    """Hold the pixel shares of MARS_CLASSES, and the fraction of images with big rock.

    Raises ValueError if no set of images can have these shares.
    """

    shares: tuple[float, ...]
    rock_images: float

    def __post_init__(self) -> None:
        if len(self.shares) != len(MARS_CLASSES):
            names = ", ".join(MARS_CLASSES)
            raise ValueError(f"shares must be {len(MARS_CLASSES)} numbers ({names}), not {len(self.shares)}.")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 0.01:
            raise ValueError(f"shares must not be negative and must add up to 1, not to {sum(self.shares):g}.")
        background, *grounds, rock = self.shares
        if not sum(grounds):
            raise ValueError("shares must be above 0 for at least one of soil, bedrock or sand.")
        if rock and LARGEST_ROCK_AREA * rock > (1 - LEAST_GROUND - background) * self.rock_images:
            raise ValueError(
                f"If only {self.rock_images:g} of the images have big rock, it cannot cover {rock:g} of all pixels "
                f"with {background:g} of background: raise rock_images, or lower the share of big rock."
            )


DEFAULT = Targets((0.245, 0.31, 0.25, 0.19, 0.005), rock_images=0.25)

# The training set of the course, without its aliens.
COURSE = Targets((0.2431, 0.3390, 0.2328, 0.1838, 0.0013), rock_images=63 / 2505)
