"""Define the interface of augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...conventions import Transform
from ...registry import kinds
from .component import Component

if TYPE_CHECKING:
    import numpy as np

    from ...data.arrays import SegmentationData
    from ...data.warps import Warp, WarpTransform


class Augmentation(Component):
    """Change training images and their masks together, at random.

    Define one of the methods `warp` (it moves pixels), `apply` (it changes a batch) and `prepare` (it needs the data).
    """

    kind = kinds.AUGMENTATION

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        """Draw where the pixels of one new image come from.

        marsseg moves the pixels: it interpolates the image and never the labels, and what comes from outside the
        image becomes void. Warps that follow each other in a run are joined, so that an image is interpolated once.
        The weak view of a semi-supervised method takes only augmentations that define this method and no other.

        Args:
            height: The number of rows of the image.
            width: The number of columns of the image.
            generator: The random generator of the image. Use no other source of randomness.

        Returns:
            The warp of the image.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `warp`")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a batch of images and masks, and return arrays of the same shapes.

        Image and mask are moved by the same transformation. Labels are never interpolated. Pixels that come from
        outside the image become void. If the augmentation only moves pixels, define `warp` instead.

        Args:
            images: (B, H, W, C) float32 in [0, 1]. The array may be changed in place.
            masks: (B, H, W) uint8. The array may be changed in place.
            generators: One random generator for each image. Use no other source of randomness: then the change of an
                image depends only on the seed, the epoch and the image.

        Returns:
            The images and the masks.
        """
        if type(self).warp is Augmentation.warp:
            raise NotImplementedError(f"{type(self).__name__} has no method `warp`, `apply` or `prepare`")
        return self._warp_transform()(images, masks, generators)

    def _warp_transform(self) -> WarpTransform:
        """Return the transform that draws the warp of each image of a batch."""
        from ...data.warps import WarpTransform

        return WarpTransform(lambda height, width, generators: [self.warp(height, width, each) for each in generators])

    def prepare(self, data: SegmentationData, items: np.ndarray) -> Transform:
        """Return the function that is applied in one training; by default one that does what `warp` or `apply` says.

        Override this method if the augmentation inserts parts of other images. It must take them from `items` only:
        the other subsets of the data must stay unseen. It is called once in each process that prepares batches, so the
        function must depend on the arguments only.

        Args:
            data: The whole data set.
            items: The indices of the training subset.

        Returns:
            A function with the arguments and the result of `apply`.
        """
        if type(self).apply is Augmentation.apply and type(self).warp is not Augmentation.warp:
            return self._warp_transform()
        return self.apply
