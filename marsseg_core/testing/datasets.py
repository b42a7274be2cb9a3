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

from ..components.interfaces import Dataset
from ..conventions import VOID
from ..data.arrays import SegmentationData
from ..errors import RequestError
from ..registry.parameters import parameters_of
from .components import ComponentContract, assert_same


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
        assert isinstance(data, SegmentationData), f"`load` gives {type(data).__name__}, not SegmentationData"
        assert data.source, "it does not say where it came from: SegmentationData(…, source=…)"
        named = all(isinstance(name, str) and name for name in data.class_names)
        assert named, f"class names are texts that are not empty: {data.class_names}"
        counted = data.label_counts[:, list(data.labelled_classes)]
        assert counted.sum() > 0, "no pixel has a class that counts"
        strange = set(np.unique(data.masks).tolist()) - {*range(data.num_classes), VOID}
        assert not strange, (
            f"its masks have labels {strange} beside those of {data.num_classes} classes and void, {VOID}"
        )

    def test_it_is_the_same_each_time(self) -> None:
        first, second = self.component.load(), dataclasses.replace(self.component).load()  # type: ignore[type-var]
        assert_same(second.images, first.images, "loaded twice, other images")
        assert_same(second.masks, first.masks, "loaded twice, other masks")
        assert first.fingerprint() == second.fingerprint(), "loaded twice, another fingerprint"
        for name in ("class_names", "ignore_classes", "source"):
            once, again = getattr(first, name), getattr(second, name)
            assert once == again, f"loaded twice, {name} are {once} and {again}"
        assert (first.groups is None) == (second.groups is None), "loaded twice, groups once and none once"
        if first.groups is not None and second.groups is not None:
            same = np.array_equal(first.groups, second.groups)
            assert same, "loaded twice, other groups"

    def test_its_items_are_what_it_loads(self) -> None:
        data = self.component.load()
        count = 0
        for i, (image, mask) in enumerate(self.component.items()):
            assert count < len(data), f"`items` gives more than the {len(data)} that it loads"
            assert_same(image, data.images[i], f"image {i} of `items`")
            assert_same(mask, data.masks[i], f"mask {i} of `items`")
            count += 1
        assert count == len(data), f"`items` gives {count}, of {len(data)} that it loads"

    def test_images_without_labels_are_like_those_with(self) -> None:
        images = self.component.unlabelled()
        if images is None:
            pytest.skip("it has none")
        channels = self.component.load().images.shape[3]
        assert images.dtype == np.uint8, f"`unlabelled` gives {images.dtype}, not uint8"
        assert images.ndim == 4, f"`unlabelled` gives an array of shape {images.shape}, not (M, H, W, C)"
        assert images.shape[3] == channels, (
            f"images without labels have {images.shape[3]} channels, the others {channels}"
        )

    def test_it_recognises_paths_without_an_error(self, tmp_path: Path) -> None:
        """`--data PATH` asks every data set."""
        (tmp_path / "folder.npz").mkdir()
        (tmp_path / "empty.npz").touch()
        (tmp_path / "no suffix").write_bytes(b"\0\1\2")
        for name in (".", "folder.npz", "empty.npz", "no suffix", "missing.npz", "missing/deep.tar.gz", "ünïcödé"):
            answer = type(self.component).recognises(tmp_path / name)
            assert answer in (True, False), f"`recognises` says {answer!r} of the path '{name}', not True or False"
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
        said = f"{refusal.value} {refusal.value.where}"
        assert name in said, f"its RequestError does not name '{name}', in its text or in `where`: {said}"
