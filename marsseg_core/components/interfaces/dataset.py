"""Define the interface of data sets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...registry import kinds
from .component import Component

if TYPE_CHECKING:
    import numpy as np

    from ...data.arrays import SegmentationData
    from ...data.scaling import Scaling


class Dataset(Component):
    """Read labelled images."""

    kind = kinds.DATASET

    generic: ClassVar[bool] = False
    """Whether it reads folders or files of any source: other data sets that recognise a path come before it."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether `--data PATH` means this data set. If so, it must have a parameter `path`.

        It is called for every path, so look only at the names and kinds of files and folders; do not read them.

        Args:
            path: The path of a file or a folder, which may not exist.
        """
        return False

    @classmethod
    def recognises_unlabelled(cls, path: Path) -> bool:
        """Return whether `--unlabelled PATH` means this data set, although it does not recognise labelled images there.

        It is called only if no data set recognises the path. Look only at the names and kinds of files and folders.

        Args:
            path: The path of a file or a folder, which exists.
        """
        return False

    @classmethod
    def explain(cls, path: Path) -> str:
        """Return what this data set looks for, and what it found instead, for the error about a path.

        It is called only if no data set recognises the path. Look only at the names of files and folders.

        Args:
            path: The path of a file or a folder, which exists.

        Returns:
            One or more sentences, what was found first; an empty text if there is nothing to say. What is looked for
            may be a list: a sentence that ends with a colon, then lines that begin with "- ".
        """
        return ""

    def preparation(self) -> str:
        """Return how images become items, for whoever uses a network that was trained on them.

        A network knows images of this kind only, so a model card says it. Read no file.

        Returns:
            What is done, such as "images are cut into tiles of 64×128 pixels"; an empty text if they stay as they are.
        """
        return ""

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """Bring an image of any size to the scale of the items, as before it becomes one or several of them.

        `marsseg predict` does so with image files, and predicts the result in tiles.

        Args:
            image: (H, W, C) uint8.

        Returns:
            (H', W', C) uint8; the image itself if its scale stays as it is.
        """
        return image

    @abstractmethod
    def load(self) -> SegmentationData:
        """Read images, masks, class names, ignored classes and groups.

        Returns:
            The data, which may be memory-mapped.

        Raises:
            RequestError: A source cannot be used. The error names it and says why.
        """

    def items(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the image (H, W, C) and the mask (H, W) of one item after the other, equal to those of `load`.

        Override this method in a data set that generates its items, so that they need not be in memory together.
        """
        data = self.load()
        return zip(data.images, data.masks, strict=True)

    def with_scaling(self, scaling: Scaling) -> Dataset:
        """Return this data set with the scaling that a run has recorded, so that its network sees values alike.

        The scaling replaces only a range that marsseg would find from the data: a range that the user set stays, and
        so do values of a type that `scaling` is not for.

        Args:
            scaling: How the values of the run's own data became 0…255.

        Returns:
            A copy; the data set itself if its values are always 0…255.
        """
        return self

    def unlabelled(self) -> np.ndarray | None:
        """Read the images without labels, for prediction and semi-supervised training.

        Returns:
            An array (M, H, W, C) uint8; None if the source has no such images.
        """
        return None
