"""The data set `synthetic`: generated scenes, so no file is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import ITEM_LIMIT, Dataset, param, settings

from .mars import IGNORED, MARS_CLASSES
from .shares import COURSE, DEFAULT, Targets

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import SegmentationData, Writer


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Generated scenes that look like Mars: soil, bedrock, sand and big rocks, in any size and number.

    Each scene depends only on the seed and on its number: the first 100 scenes of a set of 200 are the same as those of
    a set of 100. Scenes with aliens are evenly spread over the set; aliens do not change the other scenes.
    """

    count: int = param(160, help="number of images", minimum=1, maximum=ITEM_LIMIT)
    height: int = param(64, help="rows of an image", minimum=8, maximum=4_096)
    width: int = param(128, help="columns of an image", minimum=8, maximum=4_096)
    seed: int = param(0, help="random seed; another seed gives other scenes", minimum=0)
    first: int = param(0, help="the number of the first scene", minimum=0)
    shares: Literal["default", "course"] | tuple[float, ...] = param(
        "default",
        help="mean pixel shares of background, soil, bedrock, sand and big rock; course: those of the course's data",
        minimum=0,
        maximum=1,
        min_length=5,
    )
    rock_images: float | None = param(
        None,
        help="fraction of images with big rock; none: 0.25, or that of the course with shares=course",
        minimum=0,
        maximum=1,
    )
    aliens: int = param(
        0, help="number of images that show an alien; all of them have the same mask", minimum=0, maximum=ITEM_LIMIT
    )
    label_noise: float = param(
        0.7,
        help="distance of labelled edges from the true ones, in pixels (standard deviation); 0: exact",
        minimum=0,
        maximum=8,
    )

    def __post_init__(self) -> None:
        if self.aliens > self.count:
            raise ValueError(f"aliens ({self.aliens}) must not be more than count ({self.count}).")
        # Refuse impossible shares here, before the data is loaded.
        self.targets()

    def targets(self) -> Targets:
        """Return the shares as numbers. Raises ValueError if no set of images can have them."""
        preset = COURSE if self.shares == "course" else DEFAULT
        return Targets(
            self.shares if isinstance(self.shares, tuple) else preset.shares,
            preset.rock_images if self.rock_images is None else self.rock_images,
        )

    def alien_items(self) -> tuple[int, ...]:
        """Return the indices of the images with aliens: evenly spread, the first among the first three images."""
        if not self.aliens:
            return ()
        first = min(2, self.count // self.aliens - 1)
        return tuple(first + alien * self.count // self.aliens for alien in range(self.aliens))

    def load(self) -> SegmentationData:
        """Return images (count, height, width, 1) and masks (count, height, width)."""
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
        """Yield one scene after the other: an image (height, width, 1) and a mask (height, width)."""
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
