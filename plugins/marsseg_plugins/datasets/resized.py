"""Say what a data set that resizes images, or cuts them into tiles, does to an image of any size."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Dataset

if TYPE_CHECKING:
    import numpy as np

    from .resizing import Resizing


class ResizedDataset(Dataset):
    """Read labelled images of any size, which a `Resizing` brings to the size of the items."""

    @abstractmethod
    def resizing(self) -> Resizing:
        """Return what is done to images and masks."""

    def preparation(self) -> str:
        return str(self.resizing())

    def prepared(self, image: np.ndarray) -> np.ndarray:
        return self.resizing().prepared(image)
