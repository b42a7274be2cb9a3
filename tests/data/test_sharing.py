"""Objects that other processes open without a copy of their arrays."""

from __future__ import annotations

import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from marsseg_core.data import sharing
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.sharing import share, shared_block

LARGE = (4, 128, 128, 1)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, LARGE, np.uint8)


@pytest.fixture
def mapped(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


def test_a_memory_mapped_array_is_opened_again_by_its_path(mapped, images):
    shared = share({"images": mapped})
    opened = shared.open()["images"]
    assert not shared.blocks
    assert len(shared.pickled) < 1000
    assert isinstance(opened, np.memmap)
    assert opened.filename == str(mapped.filename)
    np.testing.assert_array_equal(opened, images)


class Constant:
    """An object whose state is an array that only its pickle holds."""

    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return np.full(LARGE, self.value)

    def __setstate__(self, state):
        self.value = int(state.max())


def test_arrays_that_exist_for_a_moment_are_not_confused(monkeypatch):
    """Each took the place of the one before in memory, and was taken for it."""
    monkeypatch.setattr(sharing, "_importable", lambda module: True)
    opened = share([Constant(value) for value in range(5)]).open()
    assert [constant.value for constant in opened] == [0, 1, 2, 3, 4]


def test_a_masked_array_keeps_its_mask(images):
    masked = np.ma.masked_greater(images, 100)
    np.testing.assert_array_equal(share(masked).open().mask, masked.mask)


def test_an_array_in_memory_is_copied_once(images):
    shared = share([images, {"again": images}])
    first, second = shared.open()[0], shared.open()[1]["again"]
    assert len(shared.blocks) == 1
    assert len(shared.pickled) < 1000
    assert np.shares_memory(first, second)
    assert not first.flags.writeable
    np.testing.assert_array_equal(first, images)


@pytest.mark.parametrize("part", [np.s_[1:], np.s_[::2], np.s_[:, ::-1]], ids=str)
def test_a_part_of_a_mapped_array_is_that_part(mapped, images, part):
    np.testing.assert_array_equal(share(mapped[part]).open(), images[part])


def test_changes_that_are_not_in_the_file_are_kept(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    changed = np.load(tmp_path / "images.npy", mmap_mode="c")
    changed[0] = 7
    assert (share(changed).open()[0] == 7).all()


def test_a_data_set_is_the_same_and_is_not_read(mapped, monkeypatch):
    data = SegmentationData(mapped, np.zeros(LARGE[:3], np.uint8), ("a", "b"), (1,), names=["w", "x", "y", "z"])
    monkeypatch.setattr(SegmentationData, "__post_init__", None)
    opened = share(data).open()
    assert (opened.class_names, opened.ignore_classes, opened.names) == (("a", "b"), (1,), ["w", "x", "y", "z"])
    np.testing.assert_array_equal(opened.label_counts, data.label_counts)


@pytest.mark.parametrize("module", ["__main__", "marsseg_plugin_mine_0123456789ab"])
def test_a_class_that_another_process_cannot_import_is_refused(module, monkeypatch):
    monkeypatch.setitem(sharing.sys.modules, module, namespace := SimpleNamespace())
    namespace.Mine = type("Mine", (), {"__module__": module})
    with pytest.raises(pickle.PicklingError, match="Mine is not in a module that another process can import"):
        share([namespace.Mine()])


def test_a_full_disk_is_found_before_it_kills_the_process(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10 * 2**20))
    with pytest.raises(MemoryError, match="no room for 11 MiB to share"):
        shared_block(11 * 2**20)
