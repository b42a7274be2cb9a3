"""The data set that needs no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import Dataset, param, settings

from .mars import IGNORED, MARS_CLASSES
from .shares import COURSE, DEFAULT, Targets

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import SegmentationData, Writer


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Mars-like scenes made on the spot: soil, bedrock, sand and big rocks, any size, any count.

    Each scene depends on the seed and its number alone: the first 100 of 200 are the 100 of a smaller set. Scenes
    with aliens are spread over the set; the others are what they would be without aliens.
    """

    count: int = param(160, help="how many images", minimum=1)
    height: int = param(64, help="rows of an image", minimum=8)
    width: int = param(128, help="columns of an image", minimum=8)
    seed: int = param(0, help="another seed, other scenes", minimum=0)
    first: int = param(0, help="the number of the first scene", minimum=0)
    shares: Literal["default", "course"] | tuple[float, ...] = param(
        "default",
        help="pixel shares of background, soil, bedrock, sand and big rock on average, or those of the course",
        minimum=0,
        maximum=1,
        min_length=5,
    )
    rock_images: float | None = param(
        None,
        help="fraction of images with big rock; none means a quarter, or the course's with its shares",
        minimum=0,
        maximum=1,
    )
    aliens: int = param(0, help="how many of the images show an alien and carry one identical mask", minimum=0)
    label_noise: float = param(
        0.7,
        help="how far labels stray from the true edges, in pixels (standard deviation); 0 is exact",
        minimum=0,
        maximum=8,
    )

    def __post_init__(self) -> None:
        if self.aliens > self.count:
            raise ValueError(f"{self.aliens} aliens do not fit into {self.count} images.")
        # Impossible shares are refused here, not when the data is loaded.
        self.targets()

    def targets(self) -> Targets:
        """The shares aimed at, in numbers; ValueError when they do not go together."""
        preset = COURSE if self.shares == "course" else DEFAULT
        return Targets(
            self.shares if isinstance(self.shares, tuple) else preset.shares,
            preset.rock_images if self.rock_images is None else self.rock_images,
        )

    def alien_items(self) -> tuple[int, ...]:
        """The positions of the aliens: evenly spread, the first among the first three images."""
        if not self.aliens:
            return ()
        first = min(2, self.count // self.aliens - 1)
        return tuple(first + alien * self.count // self.aliens for alien in range(self.aliens))

    def load(self) -> SegmentationData:
        """Images (count, height, width, 1) and masks (count, height, width)."""
        from marsseg_core.plugin_api import CacheSource, cached_data

        options = {"dataset": "synthetic", **settings(self)}
        source = CacheSource(f"synthetic:count={self.count}:seed={self.seed}", [], options)
        return cached_data(source, self._prepare, class_names=MARS_CLASSES, ignore_classes=IGNORED)

    def _prepare(self, writer: Writer) -> None:
        from marsseg_core.plugin_api import IMAGES, MASKS

        for item, (image, mask) in enumerate(self.items()):
            writer.append(IMAGES, image[None])
            writer.append(MASKS, mask[None])
            writer.progress(item + 1, self.count)

    def items(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One scene after the other: image (height, width, 1) and mask (height, width)."""
        import numpy as np

        from . import aliens, terrain

        size, targets = (self.height, self.width), self.targets()
        with_alien = frozenset(self.alien_items())
        for item in range(self.count):
            number = self.first + item
            image, mask = terrain.scene(self.seed, number, size, targets, self.label_noise)
            if item in with_alien:
                image = aliens.paste(image, np.random.default_rng([self.seed, number, 1]))
                mask = aliens.mask(size)
            yield image[..., None], mask
