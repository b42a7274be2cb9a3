"""The contract of a data set, to inherit in a test:

    class TestMine(DatasetContract):
        component = Mine(count=5)

One that reads a file gets it from a fixture:

    class TestMine(DatasetContract):
        @pytest.fixture(autouse=True)
        def source(self, tmp_path):
            self.component = Mine(path=str(write_some(tmp_path)))
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ..components import VOID, Dataset
from ..data.arrays import SegmentationData
from ..errors import RequestError
from ..parameters import parameters_of
from .components import ComponentContract


class DatasetContract(ComponentContract):
    """What every data set keeps to; a subclass sets `component`, with few and small images."""

    component: ClassVar[Dataset]

    @pytest.fixture(autouse=True)
    def cache_of_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a data set prepares is kept apart from the user's."""
        monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "cache"))

    def test_it_is_labelled_images(self) -> None:
        """`SegmentationData` refuses arrays that do not belong together; here is what it cannot see."""
        data = self.component.load()
        assert isinstance(data, SegmentationData)
        assert data.source, "it does not say where it came from"
        assert all(isinstance(name, str) and name for name in data.class_names)
        counted = data.label_counts[:, list(data.labelled_classes)]
        assert counted.sum() > 0, "no pixel has a class that counts"
        assert set(np.unique(data.masks)) <= {*range(data.num_classes), VOID}

    def test_it_is_the_same_each_time(self) -> None:
        first, second = self.component.load(), dataclasses.replace(self.component).load()  # type: ignore[type-var]
        np.testing.assert_array_equal(first.images, second.images)
        np.testing.assert_array_equal(first.masks, second.masks)
        assert first.fingerprint() == second.fingerprint()
        assert (first.class_names, first.ignored, first.source) == (second.class_names, second.ignored, second.source)
        assert (first.groups is None) == (second.groups is None)
        if first.groups is not None and second.groups is not None:
            np.testing.assert_array_equal(first.groups, second.groups)

    def test_its_items_are_what_it_loads(self) -> None:
        data = self.component.load()
        count = 0
        for i, (image, mask) in enumerate(self.component.items()):
            np.testing.assert_array_equal(image, data.images[i])
            np.testing.assert_array_equal(mask, data.masks[i])
            count += 1
        assert count == len(data)

    def test_images_without_labels_are_like_those_with(self) -> None:
        images = self.component.unlabelled()
        if images is None:
            pytest.skip("it has none")
        assert images.dtype == np.uint8
        assert images.ndim == 4
        assert images.shape[3] == self.component.load().images.shape[3]

    def test_it_recognises_paths_without_an_error(self, tmp_path: Path) -> None:
        """`--data PATH` asks every data set."""
        (tmp_path / "folder.npz").mkdir()
        (tmp_path / "empty.npz").touch()
        (tmp_path / "no suffix").write_bytes(b"\0\1\2")
        for name in (".", "folder.npz", "empty.npz", "no suffix", "missing.npz", "missing/deep.tar.gz", "ünïcödé"):
            assert type(self.component).recognises(tmp_path / name) in (True, False)
        if "path" not in parameters_of(type(self.component)):
            assert not type(self.component).recognises(tmp_path), "it has no parameter `path` to take one"

    @pytest.mark.parametrize("name", ["missing.npz", "empty.npz", "folder", "text.npz"])
    def test_a_bad_source_is_refused_by_name(self, name: str, tmp_path: Path) -> None:
        if "path" not in parameters_of(type(self.component)):
            pytest.skip("it reads no path")
        (tmp_path / "empty.npz").touch()
        (tmp_path / "folder").mkdir()
        (tmp_path / "text.npz").write_text("This is no picture.")
        with pytest.raises(RequestError) as refusal:
            dataclasses.replace(self.component, path=str(tmp_path / name)).load()  # type: ignore[type-var]
        assert name in f"{refusal.value} {refusal.value.where}"
