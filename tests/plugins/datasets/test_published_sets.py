"""Read small trees in the layouts of S5Mars, Mars-Bench, MarsScapes and MarsData-V2."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg_core.api import plan
from marsseg_core.data.leaks import leak_warnings
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import make_split
from marsseg_core.errors import RequestError
from marsseg_core.registry import kinds
from marsseg_core.testing import DatasetContract
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.marsbench import MarsBench
from marsseg_plugins.datasets.marscapes import MarsScapes
from marsseg_plugins.datasets.marscapes_masks import CLASSES, COLOURS
from marsseg_plugins.datasets.s5mars import S5Mars

RANDOM = np.random.default_rng(0)


def save(path: Path, pixels: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return pixels


def picture(path: Path, size: tuple[int, int] = (8, 10)) -> None:
    save(path, RANDOM.integers(0, 256, (*size, 3)))


def refusal(data) -> RequestError:
    with pytest.raises(RequestError) as caught:
        data.load()
    return caught.value


@pytest.fixture(autouse=True)
def same_code(monkeypatch):
    """Do not parse the modules of a data set at each of the many loads: the code stays the same in these tests."""
    monkeypatch.setattr("marsseg_core.data.cached.code_hash", lambda prepare: "the code of today")


# --- S5Mars

NAMES = {
    "train": ["easy/0025ML0001270000100807E01", "hard/0025MR0001270000100808E01", "easy/0100ML0004500000100007E01"],
    "val": ["hard/0200_0200ML0004500000100007E01"],
    "test": ["hard/0300ML0004500000100007E01", "easy/0025ML0009990000100807E01"],
}


def s5mars_tree(root: Path, names: dict[str, list[str]] | None = None) -> Path:
    names = names or NAMES
    for number, name in enumerate([name for part in names.values() for name in part]):
        picture(root / f"images/{name}.jpg")
        save(root / f"labels/{name}.png", (np.arange(80).reshape(8, 10) + number) % 10)
    for subset, listed in names.items():
        (root / "split").mkdir(exist_ok=True)
        (root / f"split/{subset}.json").write_text(json.dumps(listed))
    return root


def s5mars(root: Path, **parameters) -> S5Mars:
    return S5Mars(str(root), **{"height": 8, "width": 10} | parameters)


class TestS5Mars(DatasetContract):
    @pytest.fixture(autouse=True)
    def source(self, tmp_path):
        self.component = s5mars(s5mars_tree(tmp_path / "tree"))

    def test_null_is_void_and_the_values_count_up_from_sky(self):
        data = self.component.load()
        assert (data.class_names[0], data.class_names[-1], data.num_classes) == ("sky", "hole", 9)
        (item,) = [item for item in range(len(data)) if data.name(item).endswith("0025ML0001270000100807E01.jpg")]
        values = np.arange(80).reshape(8, 10) % 10
        np.testing.assert_array_equal(data.masks[item], np.where(values == 0, 255, values - 1))
        assert (data.ignore_classes, data.images.shape[3]) == ((), 3)

    def test_the_split_is_the_releases_by_name(self):
        data = self.component.load()
        split = make_split(data, SplitOptions())
        for subset, word in (("train", "train"), ("validation", "val"), ("test", "test")):
            assert {data.name(item) for item in split[subset]} == {f"{name}.jpg" for name in NAMES[word]}

    def test_days_in_several_subsets_are_told_and_a_drawn_split_keeps_them_together(self):
        data = self.component.load()
        (warning,) = leak_warnings(data, make_split(data, SplitOptions()))
        assert warning.startswith(
            "1 group has images in more than one subset of the split (such as the group of easy/0025"
        )
        drawn = make_split(data, SplitOptions(subsets="drawn", validation=0.3, test=0.3))
        assert not leak_warnings(data, drawn)
        days = [int(data.name(item)[5:9]) for item in range(len(data))]
        assert data.groups.tolist() == days
        assert dataclasses.replace(self.component, groups="none").load().groups is None

    def test_an_image_that_only_the_split_knows_is_refused(self):
        Path(self.component.path, "images/easy/0100ML0004500000100007E01.jpg").unlink()
        assert "1 of its images is not in images/: easy/0100ML" in refusal(self.component).what

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("[1]", "A list of image names is expected"),
            ("{", "This is not JSON"),
            (
                '["hard/0200_0200ML0004500000100007E01"]',
                "hard/0200_0200ML0004500000100007E01 is in the test subset too.",
            ),
        ],
    )
    def test_a_bad_list_is_refused(self, text, what):
        Path(self.component.path, "split/val.json").write_text(text)
        Path(self.component.path, "split/test.json").write_text(json.dumps(NAMES["test"] + NAMES["val"]))
        assert what in refusal(self.component).what

    def test_without_lists_the_subsets_are_drawn(self):
        for path in Path(self.component.path, "split").iterdir():
            path.unlink()
        assert self.component.load().split is None

    def test_a_label_without_an_image_is_refused_or_skipped(self, caplog):
        save(Path(self.component.path, "labels/easy/0400ML.png"), np.ones((8, 10)))
        assert refusal(self.component).what == "1 mask has no image: labels/easy/0400ML.png."
        with caplog.at_level(logging.WARNING):
            assert len(dataclasses.replace(self.component, unpaired="skip").load()) == 6

    def test_skipping_is_not_offered_where_nothing_would_remain(self):
        root = Path(self.component.path)
        for path in (*root.glob("images/*/*"), *root.glob("split/*")):
            path.unlink()
        with pytest.raises(RequestError) as caught:
            dataclasses.replace(self.component, unpaired="skip").load()
        assert "masks have no image" in caught.value.what
        assert caught.value.hint is None


# --- Mars-Bench


def bench_tree(root: Path, mapping: object = ("Background", "Crater")) -> Path:
    for subset, count in (("train", 4), ("val", 2), ("test", 2)):
        for number in range(count):
            # The same names in all subsets, and masks with another suffix than images.
            picture(root / f"data/{subset}/images/{number:03}.jpg")
            save(root / f"data/{subset}/masks/{number:03}.png", np.indices((8, 10))[1] > number)
    (root / "mapping.json").write_text(json.dumps(mapping))
    (root / "partitions").mkdir()
    (root / "partitions/0.50x_partition.csv").write_text("file_id,split\n001.jpg,train\n003,train\n000.jpg,val\n")
    return root


class TestMarsBench(DatasetContract):
    @pytest.fixture(autouse=True)
    def source(self, tmp_path):
        self.component = MarsBench(str(bench_tree(tmp_path / "mb-crater_seg")), height=8, width=10)

    def test_classes_split_and_names_are_those_of_the_folders(self):
        data = self.component.load()
        assert (data.class_names, data.ignore_classes) == (("Background", "Crater"), ())
        split = make_split(data, SplitOptions())
        assert {data.name(item) for item in split.validation} == {"val/images/000.jpg", "val/images/001.jpg"}
        assert (len(split.train), len(split.test)) == (4, 2)
        np.testing.assert_array_equal(data.masks[0], np.indices((8, 10))[1] > 0)

    def test_a_partition_keeps_what_it_lists_and_whole_subsets_that_it_does_not_list(self):
        data = dataclasses.replace(self.component, partition=0.5).load()
        names = {f"{name}.jpg" for name in ("train/images/001", "train/images/003", "val/images/000")}
        assert {data.name(item) for item in range(len(data))} == names | {"test/images/000.jpg", "test/images/001.jpg"}

    def test_another_partition_is_refused_with_those_that_there_are(self):
        error = refusal(dataclasses.replace(self.component, partition=0.1))
        assert error.what == "There is no partition 0.1 in this folder; there are: 0.5."

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("name,split\n", "A partition has the columns file_id and split, not name, split."),
            ("file_id,split\n001.jpg,training day\n", "Line 2 does not name an image and a subset"),
            ("file_id,split\n009.jpg,train\n", "1 of its images is not in data/: 009.jpg."),
        ],
    )
    def test_a_bad_partition_is_refused(self, text, what):
        Path(self.component.path, "partitions/0.50x_partition.csv").write_text(text)
        assert what in refusal(dataclasses.replace(self.component, partition=0.5)).what

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("{", "This is not JSON"),
            ("7", "must have the ids 0, 1, …"),
            ('{"1": "crater"}', "must have the ids 0, 1, …"),
            ("[1, 2]", "must be a string, not 1"),
        ],
    )
    def test_a_bad_mapping_is_refused(self, text, what):
        Path(self.component.path, "mapping.json").write_text(text)
        assert what in refusal(self.component).what

    def test_a_missing_mapping_is_refused_with_an_example(self):
        Path(self.component.path, "mapping.json").unlink()
        assert "mapping.json, such as" in refusal(self.component).hint

    def test_of_several_names_of_a_class_the_first_is_taken(self):
        Path(self.component.path, "mapping.json").write_text('{"0": ["bg", "background"], "1": "crater"}')
        assert self.component.load().class_names == ("bg", "crater")


# --- MarsScapes

PANORAMAS = {"122_1": (20, 40), "122_2": (16, 30), "527_1": (20, 30), "747_1": (18, 52)}


def colours_of(ids: np.ndarray) -> np.ndarray:
    return np.array([*COLOURS, (0, 0, 0)], np.uint8)[np.where(ids == 255, len(COLOURS), ids)]


def scapes_tree(root: Path) -> dict[str, np.ndarray]:
    """Make the tree; return the ids of each mask."""
    ids = {}
    for name, size in PANORAMAS.items():
        picture(root / f"image/{name}.png", size)
        ids[name] = RANDOM.choice([*range(8), 255], size)
        save(root / f"annotation/semantic/{name}_color.png", colours_of(ids[name]))
        save(root / f"annotation/semantic/{name}_semanticId.png", ids[name])
        for crop in ("0_0_0", "0_1_1"):
            picture(root / f"processed/sample/{name}_{crop}.png")
            save(root / f"processed/sample/{name}_{crop}_color.png", colours_of(ids[name][:8, :10]))
            save(root / f"processed/sample/{name}_{crop}_semanticId.png", ids[name][:8, :10])
    return ids


class TestMarsScapes(DatasetContract):
    @pytest.fixture(autouse=True)
    def source(self, tmp_path):
        self.ids = scapes_tree(tmp_path / "MarsScapes")
        self.component = MarsScapes(str(tmp_path / "MarsScapes"), height=8, width=10)

    def test_colours_become_ids_and_black_void(self):
        data = dataclasses.replace(self.component, height=52, width=52, edges="pad").load()
        assert (data.class_names, data.class_colours) == (CLASSES, COLOURS)
        for item in range(len(data)):
            ids = self.ids[data.name(item).partition(".")[0]]
            np.testing.assert_array_equal(data.masks[item][: ids.shape[0], : ids.shape[1]], ids)

    def test_the_tiles_of_a_panorama_or_of_a_day_are_one_group(self):
        data = self.component.load()
        stems = [data.name(item).partition(".")[0] for item in range(len(data))]
        assert len(data) > len(PANORAMAS)
        assert len(set(zip(data.groups.tolist(), stems, strict=True))) == len(set(data.groups.tolist())) == 4
        assert len(set(dataclasses.replace(self.component, groups="days").load().groups.tolist())) == 3

    def test_the_crops_of_a_panorama_are_one_group_and_no_split_is_given(self):
        crops = dataclasses.replace(self.component, images="crops", resize="whole").load()
        assert (len(crops), len(set(crops.groups.tolist())), crops.split) == (8, 4, None)
        np.testing.assert_array_equal(crops.masks[0], self.ids["122_1"][:8, :10])
        drawn = make_split(crops, SplitOptions(validation=0.3, test=0.3))
        assert not leak_warnings(crops, drawn)

    def test_unknown_colours_are_void_and_counted_once(self, caplog):
        mask = colours_of(np.zeros((20, 40), int))
        mask[:2, :4], mask[5, 5] = (128, 128, 128), (1, 2, 3)
        save(Path(self.component.path, "annotation/semantic/122_1_color.png"), mask)
        with caplog.at_level(logging.WARNING):
            data = dataclasses.replace(self.component, resize="whole", height=20, width=40).load()
        assert (data.masks[0] == 255).sum() == 9
        share = 100 * 9 / sum(rows * columns for rows, columns in PANORAMAS.values())
        assert [line for line in caplog.messages if "squeezed" not in line] == [
            f"marscapes:MarsScapes: {share:.3g} % of the pixels of the masks have colours that stand for no class, "
            "and are void: (128, 128, 128), (1, 2, 3)."
        ]

    def test_masks_named_like_their_panoramas_are_read_too(self):
        folder = Path(self.component.path, "annotation/semantic")
        first = self.component.load().fingerprint()
        for name in PANORAMAS:
            (folder / f"{name}_color.png").rename(folder / f"{name}.png")
        folder.rename(folder.with_name("label_semantic"))
        assert self.component.load().fingerprint() == first

    def test_masks_that_do_not_fit_are_refused(self):
        path = Path(self.component.path, "annotation/semantic/122_1_color.png")
        save(path, np.zeros((20, 40)))
        assert "This mask is grey" in refusal(self.component).what
        save(path, colours_of(np.zeros((20, 41), int)))
        assert refusal(self.component).what == "The mask has 20 × 41 pixels, but its image has 20 × 40."

    def test_missing_folders_are_named(self):
        folder = Path(self.component.path, "annotation/semantic")
        folder.rename(folder.with_name("elsewhere"))
        assert "annotation/semantic or annotation/label_semantic" in refusal(self.component).what


# --- all of them


@pytest.mark.parametrize("make", [s5mars_tree, bench_tree, scapes_tree])
def test_a_path_is_recognised_by_one_data_set(tmp_path, make):
    make(tmp_path / "tree")
    expected = {s5mars_tree: S5Mars, bench_tree: MarsBench, scapes_tree: MarsScapes}[make]
    assert type(plan(data=str(tmp_path / "tree")).one(kinds.DATASET)) is expected


@pytest.mark.parametrize("kind", [S5Mars, MarsBench, MarsScapes])
def test_scale_needs_tiles(kind):
    with pytest.raises(ValueError, match="scale needs resize=tiles"):
        kind("somewhere", resize="whole", scale=0.5)


def test_marsdata_v2_is_a_folder_of_binary_masks(tmp_path):
    """Its images and labels have the same stems; the labels are black and white."""
    for number in range(3):
        picture(tmp_path / f"images/a6r1_{number:04}.png")
        save(tmp_path / f"masks/a6r1_{number:04}.png", 255 * (np.indices((8, 10))[0] > number))
    data = Folder(str(tmp_path), binary=True, classes=("ground", "rock")).load()
    assert data.class_names == ("ground", "rock")
    np.testing.assert_array_equal(data.masks[1], np.indices((8, 10))[0] > 1)
    assert data.name(0) == "a6r1_0000.png"
