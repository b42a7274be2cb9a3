"""The contract of a data set."""

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
    """Check a data set: valid labelled images, the same each time, and errors that name a bad source.

    Attributes:
        component: The data set, with few and small images. A subclass must set it.

    Example:
        ```python
        class TestMyData(DatasetContract):
            component = MyData(count=5)
        ```

        A data set that reads a file gets the file from a fixture:

        ```python
        class TestMyData(DatasetContract):
            @pytest.fixture(autouse=True)
            def source(self, tmp_path):
                self.component = MyData(path=str(write_file(tmp_path)))
        ```
    """

    component: ClassVar[Dataset]

    @pytest.fixture(autouse=True)
    def separate_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Use another cache folder than that of the user."""
        monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "cache"))

    def test_it_loads_valid_labelled_images(self) -> None:
        """Check the properties that `SegmentationData` itself does not check."""
        data = self.component.load()
        assert isinstance(data, SegmentationData), f"`load` returns {type(data).__name__}, not SegmentationData"
        assert data.source, "the data has no source: pass it, as in SegmentationData(…, source=…)"
        named = all(isinstance(name, str) and name for name in data.class_names)
        assert named, f"class names must be non-empty strings: {data.class_names}"
        counted = data.label_counts[:, list(data.labelled_classes)]
        assert counted.sum() > 0, "no pixel has a class that is not ignored"
        wrong = set(np.unique(data.masks).tolist()) - {*range(data.num_classes), VOID}
        assert not wrong, (
            f"the masks have the labels {wrong}, which are neither one of {data.num_classes} classes nor void ({VOID})"
        )

    def test_it_loads_the_same_data_each_time(self) -> None:
        first, second = self.component.load(), dataclasses.replace(self.component).load()  # type: ignore[type-var]
        assert_same(second.images, first.images, "the images of a second `load`")
        assert_same(second.masks, first.masks, "the masks of a second `load`")
        assert first.fingerprint() == second.fingerprint(), "a second `load` returns data with another fingerprint"
        for name in ("class_names", "ignore_classes", "source"):
            once, again = getattr(first, name), getattr(second, name)
            assert once == again, f"a second `load` returns data with another {name}: {once} and {again}"
        assert (first.groups is None) == (second.groups is None), "only one of two calls of `load` returns groups"
        if first.groups is not None and second.groups is not None:
            same = np.array_equal(first.groups, second.groups)
            assert same, "a second `load` returns data with other groups"

    def test_items_yields_the_data_of_load(self) -> None:
        data = self.component.load()
        count = 0
        for i, (image, mask) in enumerate(self.component.items()):
            assert count < len(data), f"`items` yields more than the {len(data)} items of `load`"
            assert_same(image, data.images[i], f"image {i} of `items`, compared with `load`")
            assert_same(mask, data.masks[i], f"mask {i} of `items`, compared with `load`")
            count += 1
        assert count == len(data), f"`items` yields {count} items, `load` returns {len(data)}"

    def test_images_without_labels_have_the_same_format(self) -> None:
        images = self.component.unlabelled()
        if images is None:
            pytest.skip("it has no images without labels")
        channels = self.component.load().images.shape[3]
        assert images.dtype == np.uint8, f"`unlabelled` returns an array of {images.dtype}, not uint8"
        assert images.ndim == 4, f"`unlabelled` returns an array of shape {images.shape}, not (M, H, W, C)"
        assert images.shape[3] == channels, (
            f"images without labels have {images.shape[3]} channels, images with labels {channels}"
        )

    def test_it_recognises_paths_without_an_error(self, tmp_path: Path) -> None:
        """Check paths of all kinds, because `recognises` of every data set is called for `--data PATH`."""
        (tmp_path / "folder.npz").mkdir()
        (tmp_path / "empty.npz").touch()
        (tmp_path / "no suffix").write_bytes(b"\0\1\2")
        for name in (".", "folder.npz", "empty.npz", "no suffix", "missing.npz", "missing/deep.tar.gz", "ünïcödé"):
            answer = type(self.component).recognises(tmp_path / name)
            assert answer in (True, False), f"`recognises` returns {answer!r} for the path '{name}', not True or False"
        if "path" not in parameters_of(type(self.component)):
            assert not type(self.component).recognises(tmp_path), "it recognises a path, but has no parameter `path`"

    def test_it_recognises_images_without_labels_without_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "empty.npz").touch()
        for name in (".", "empty.npz"):
            answer = type(self.component).recognises_unlabelled(tmp_path / name)
            what = f"`recognises_unlabelled` returns {answer!r} for the path '{name}', not True or False"
            assert answer in (True, False), what
            assert not answer or "path" in parameters_of(type(self.component)), "it has no parameter `path`"

    def test_it_explains_what_it_looks_for(self, tmp_path: Path) -> None:
        (tmp_path / "empty.npz").touch()
        for name in (".", "empty.npz"):
            answer = type(self.component).explain(tmp_path / name)
            assert isinstance(answer, str), f"`explain` returns {answer!r} for the path '{name}', not a string"

    def test_it_says_how_images_are_prepared(self) -> None:
        answer = self.component.preparation()
        assert isinstance(answer, str), f"`preparation` returns {answer!r}, not a text"

    @pytest.mark.parametrize("channels", [1, 3])
    def test_it_brings_images_of_any_size_to_the_scale_of_its_items(self, channels: int) -> None:
        image = np.zeros((50, 70, channels), np.uint8)
        prepared = self.component.prepared(image)
        assert prepared.dtype == np.uint8
        assert (prepared.ndim, prepared.shape[-1]) == (3, channels)
        if prepared is not image:
            assert self.component.preparation(), "`prepared` changes an image, but `preparation` does not say it"

    @pytest.mark.parametrize("name", ["missing.npz", "empty.npz", "folder", "text.npz"])
    def test_the_error_for_a_bad_source_names_it(self, name: str, tmp_path: Path) -> None:
        if "path" not in parameters_of(type(self.component)):
            pytest.skip("it has no parameter `path`")
        (tmp_path / "empty.npz").touch()
        (tmp_path / "folder").mkdir()
        (tmp_path / "text.npz").write_text("This is no picture.")
        with pytest.raises(RequestError) as refusal:
            dataclasses.replace(self.component, path=str(tmp_path / name)).load()  # type: ignore[type-var]
        message = f"{refusal.value} {refusal.value.where}"
        assert name in message, f"the RequestError does not name '{name}' in its text or in `where`: {message}"
