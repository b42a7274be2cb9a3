"""Data sets pass the contract."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from marsseg_core.testing import DatasetContract
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.npz import Npz
from marsseg_plugins.datasets.synthetic import Synthetic


class TestSynthetic(DatasetContract):
    component = Synthetic(count=5, height=16, width=24)


class TestSyntheticWithAliens(DatasetContract):
    component = Synthetic(count=6, height=16, width=24, aliens=2, shares="course", label_noise=0.0)


class TestNpz(DatasetContract):
    @pytest.fixture(autouse=True)
    def source(self, tiny_file):
        self.component = Npz(path=str(tiny_file))


class TestSomeOfAnNpz(DatasetContract):
    @pytest.fixture(autouse=True)
    def source(self, tiny_file):
        self.component = Npz(path=str(tiny_file), limit=7, ignore_classes=None)


class TestFolder(DatasetContract):
    """With the images of a test folder, which have no masks."""

    @pytest.fixture(autouse=True)
    def source(self, tmp_path):
        for name in ("train/images/a", "train/masks/a", "test/images/b"):
            path = tmp_path / "photos" / f"{name}.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(np.full((4, 6), len(name) % 2, np.uint8)).save(path)
        self.component = Folder(path=str(tmp_path / "photos"))
