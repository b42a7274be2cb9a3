"""`marsseg data`: inspect, clean, make, convert, cache."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.ai4mars_tree import make_tree
from helpers.processes import PLAIN_TERMINAL
from PIL import Image

from marsseg_core import api
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.export import write_folder, write_npz
from marsseg_core.errors import RequestError, RunError
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.npz import Npz
from marsseg_plugins.datasets.synthetic import Synthetic

SMALL = ("--count", "12", "--test", "5", "--aliens", "3", "--height", "16", "--width", "24")


def left(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def made(cli, tmp_path) -> Path:
    """Write a small file by `data make`."""
    assert cli("data", "make", "made.npz", *SMALL).code == 0
    return tmp_path / "made.npz"


@pytest.fixture
def colourful() -> SegmentationData:
    """Make 6 colour images in 3 groups, with void in their masks."""
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 1, 2, 255], (6, 9, 13)).astype(np.uint8)
    images = rng.integers(0, 256, (6, 9, 13, 3), np.uint8)
    return SegmentationData(images, masks, ("background", "sky", "ground"), (0,), np.arange(6) // 2, "made")


# make


def test_make_writes_the_courses_layout_and_dtypes(cli, made):
    with np.load(made, allow_pickle=False) as file:
        assert sorted(file) == ["test_set", "training_set"]
        training, test = file["training_set"], file["test_set"]
    assert (training.shape, training.dtype) == ((12, 2, 16, 24), np.float64)
    assert (test.shape, test.dtype) == ((5, 16, 24), np.float64)
    assert set(np.unique(training[:, 1])) <= {0, 1, 2, 3, 4}
    assert zipfile.ZipFile(made).infolist()[0].compress_type == zipfile.ZIP_DEFLATED


def test_make_writes_the_scenes_of_the_synthetic_set(made):
    parameters = {"height": 16, "width": 24, "shares": "course"}
    source = Npz(str(made))
    expected = Synthetic(count=12, aliens=3, **parameters).load()
    np.testing.assert_array_equal(source.load().images, expected.images)
    np.testing.assert_array_equal(source.load().masks, expected.masks)
    further = Synthetic(count=17, **parameters).load().images[12:]
    np.testing.assert_array_equal(source.unlabelled(), further)


def test_make_writes_the_same_file_again(cli, made):
    cli("data", "make", "again.npz", *SMALL)
    assert made.read_bytes() == made.with_name("again.npz").read_bytes()
    cli("data", "make", "other.npz", *SMALL, "--seed", "1")
    assert made.read_bytes() != made.with_name("other.npz").read_bytes()


def test_make_has_the_same_share_of_aliens_by_default(cli):
    words = ("--count", "50", "--test", "0", "--height", "8", "--width", "8")
    assert "50 labelled images, 2 of them with aliens" in cli("data", "make", "few.npz", *words).out


def test_make_without_a_test_set(cli, tmp_path):
    assert cli("data", "make", "made.npz", *SMALL[:2], "--test", "0", "--aliens", "0").code == 0
    assert Npz(str(tmp_path / "made.npz")).unlabelled() is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("made.npz",), "nothing is ever overwritten"),
        (("made.npy",), "does not end in .npz"),
        (("absent/made.npz",), "no folder 'absent'"),
        (("new.npz", "--count", "3", "--aliens", "4"), "aliens (4) must not be more than count (3)"),
        (("new.npz", "--height", "2"), "at least 8"),
        (("new.npz", "--shares", "mars"), "shares"),
    ],
)
def test_make_refuses(cli, made, words, complaint):
    content = made.read_bytes()
    answer = cli("data", "make", *words)
    assert answer.code == 2
    assert complaint in answer.err
    assert left(made.parent) == ["made.npz"]
    assert made.read_bytes() == content


# inspect


def test_inspect_prints_classes_and_findings(cli, made):
    answer = cli("data", "inspect", str(made))
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "npz:made.npz: 12 labelled images of 16 × 24, grey; 5 without labels"
    rows = dict(line.split("\t", 1) for line in lines if "\t" in line)
    assert rows["background (ignored)"].endswith("–\t–")
    assert rows["aliens"].split("\t")[0] == "3"
    assert rows["aliens"].endswith("\t2, 6, 10")


def test_inspect_prints_json(cli, made):
    answer = cli("data", "inspect", str(made), "--json")
    report = json.loads(answer.out)
    assert report["schema"] == 2
    assert [len(group) for group in report["aliens"]] == [3]
    assert report["images"] == sum(report["subsets"].values()) == 12
    assert report["unlabelled"] == 5
    assert {"name", "ignored", "pixels", "share", "images", "weight", "weight_labelled"} == set(report["classes"][0])


def test_inspect_names_the_items_of_a_folder(cli, tmp_path):
    for number in range(6):
        for kind, pixels in (("images", np.full((8, 8), number * 9)), ("masks", np.arange(64).reshape(8, 8) % 3)):
            path = tmp_path / f"mine/{kind}/site/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    answer = cli("data", "inspect", str(tmp_path / "mine"))
    rows = dict(line.split("\t", 1) for line in answer.out.splitlines() if "\t" in line)
    names = [f"site/{number}.png" for number in range(6)]
    assert rows["flat images"].endswith(f"\t{', '.join(names)}")
    report = json.loads(cli("data", "inspect", str(tmp_path / "mine"), "--json").out)
    assert report["values"]["flat"] == list(range(6))
    assert report["names"] == {str(number): name for number, name in enumerate(names)}


def test_inspect_writes_a_page(cli, made):
    answer = cli("data", "inspect", str(made), "--html", "page.html")
    assert answer.code == 0
    assert "page.html" in answer.err
    assert "<h3>Aliens" in made.with_name("page.html").read_text(encoding="utf-8")
    again = cli("data", "inspect", str(made), "--html", "page.html")
    assert again.code == 2
    assert "nothing is ever overwritten" in again.err


def test_inspect_takes_another_split_and_cleaned_data(cli, made):
    one, other = (
        json.loads(cli("data", "inspect", str(made), "--json", "--set", f"split.test={share}").out)["subsets"]
        for share in (0.15, 0.5)
    )
    assert one["test"] < other["test"]
    cleaned = json.loads(cli("data", "inspect", str(made), "--json", "--set", "cleaning.drop_aliens=masks").out)
    assert (cleaned["images"], cleaned["aliens"]) == (9, [])


def test_inspect_takes_the_split_of_a_file_and_tells_its_leaks(cli, made):
    rows = [f"{item},{'train' if item < 8 else 'val' if item < 10 else 'test'}" for item in range(12)]
    made.with_name("split.csv").write_text("\n".join(["item,subset", *rows]))
    report = json.loads(cli("data", "inspect", str(made), "--split", "split.csv", "--json").out)
    assert (report["subsets"], report["split_origin"]) == ({"train": 8, "validation": 2, "test": 2}, "file")
    assert (report["named"], report["own_subsets"], report["class_colours"]) == (False, None, None)
    lines = cli("data", "inspect", str(made), "--split", "split.csv").out.splitlines()
    assert "a run's subsets (from the file): 8 train, 2 validation, 2 test" in lines
    assert "train\t8\t66.7 %" in lines


@pytest.mark.parametrize(
    ("table", "complaints"),
    [
        (None, ["This table cannot be read: No such file or directory."]),
        ("item,subset\nx,train", ["None of its items is in the data (x).", "is called 0."]),
        ("item,fold\n0,1\n1,2", ["This file gives 2 folds"]),
    ],
)
def test_inspect_refuses_a_split_that_cannot_be_used(cli, made, table, complaints):
    if table is not None:
        made.with_name("split.csv").write_text(table)
    answer = cli("data", "inspect", str(made), "--split", "split.csv")
    assert (answer.code, answer.out) == (2, "")
    assert all(complaint in " ".join(answer.err.split()) for complaint in complaints)


def test_inspect_tells_what_the_data_have(cli, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)
    images[5] = images[0]
    masks = np.random.default_rng(1).integers(0, 2, (6, 8, 8), np.uint8)
    colours, groups = ((0, 0, 0), (9, 9, 9)), np.array([0, 0, 1, 1, 0, 2])
    split = {"train": [0, 1, 2], "validation": [3], "test": [4, 5]}
    data = SegmentationData(
        images, masks, ("soil", "rock"), (), groups, "it", names=[*"abcdef"], split=split, class_colours=colours
    )
    write_npz(tmp_path / "it.npz", data, None, "images", lambda done, total: None)
    report = json.loads(cli("data", "inspect", "it.npz", "--json").out)
    assert (report["named"], report["split_origin"], report["class_colours"]) == (True, "given", [[0] * 3, [9] * 3])
    assert report["own_subsets"] == report["subsets"] == {"train": 3, "validation": 1, "test": 2}
    assert report["subset_groups"] == {"train": 2, "validation": 1, "test": 2}
    assert {(leak["kind"], str(leak["subsets"])) for leak in report["leaks"]} == {
        ("identical images", "{'train': [0], 'test': [5]}"),
        ("one group", "{'train': [0, 1], 'test': [4]}"),
        ("one group", "{'train': [2], 'validation': [3]}"),
    }
    text = cli("data", "inspect", "it.npz").out
    assert "items: with names; their split: 3 train, 1 validation, 2 test; classes with colours" in text
    drawn = json.loads(cli("data", "inspect", "it.npz", "--split", "drawn", "--json").out)
    assert drawn["split_origin"] == "drawn"


def test_inspect_takes_a_data_set_by_name(cli):
    answer = cli("data", "inspect", "synthetic:count=10:height=16:width=16")
    assert answer.out.startswith("synthetic:")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("inspect", "nosuch"), "no data set 'nosuch'"),
        (("inspect", "absent.npz"), "no file or folder 'absent.npz'"),
        (("inspect", "broken.npz"), "not an .npz file"),
        (("inspect", "synthetic", "--html", "page.txt"), "does not end in .html"),
        (("inspect", "synthetic", "--json", "--json"), "used twice"),
        (("clean", "broken.npz", "new.npz", "--drop-duplicates"), "not an .npz file"),
        (("convert", "broken.npz", "new"), "not an .npz file"),
        (("convert", "synthetic", "new", "--layout", "images"), "A folder has no layout"),
        (("convert", "synthetic", "broken.npz"), "nothing is ever overwritten"),
        (("convert", "synthetic", "x" * 300 + ".npz"), "cannot be the name of a file"),
        (("clean", "synthetic", "new.npz"), "No cleaning was requested"),
        (("clean", "synthetic", "broken.npz", "--drop-duplicates"), "nothing is ever overwritten"),
        (("inspect", "synthetic", "--split", ""), "subsets must be given, drawn or a file"),
        (("clean", "synthetic", "new.npz", "--drop-aliens", "all"), "masks, images or none"),
    ],
)
def test_a_wrong_request_is_one_clear_error_and_leaves_no_file(cli, tmp_path, words, complaint):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    answer = cli("data", *words)
    assert answer.code == 2
    assert complaint in answer.err
    assert answer.err.count("Error:") == 1
    assert left(tmp_path) == ["broken.npz"]


# clean


def test_clean_writes_what_remains(cli, made):
    answer = cli("data", "clean", str(made), "cleaned.npz", "--drop-aliens", "masks", "--fill-margin", "3")
    assert answer.code == 0
    assert "3 aliens dropped (by masks)" in answer.out
    assert "9 of 12 items remain" in answer.out
    expected = api.plan(data=str(made), drop_aliens="masks", fill_margin=3)
    from marsseg_core.runs.data import read_data

    cleaned = Npz(str(made.with_name("cleaned.npz")))
    assert cleaned.load().fingerprint() == read_data(expected).fingerprint()
    np.testing.assert_array_equal(cleaned.unlabelled(), Npz(str(made)).unlabelled())


def test_clean_writes_a_folder_with_what_the_remaining_items_have(cli, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    images[1] = images[0]
    masks = np.tile(np.array([0, 1], np.uint8), (5, 8, 4))
    split = {"train": [0, 1, 2], "validation": [3], "test": [4]}
    data = SegmentationData(images, masks, ("soil", "rock"), (1,), None, "it", names=[*"edcba"], split=split)
    write_npz(tmp_path / "it.npz", data, None, "images", lambda done, total: None)
    answer = cli("data", "clean", "it.npz", "cleaned", "--drop-duplicates")
    assert "4 of 5 items remain" in answer.out
    read = Folder(str(tmp_path / "cleaned")).load()
    assert (list(read.names), read.ignore_classes) == ([*"ecba"], (1,))
    assert (read.split.train, read.split.validation, read.split.test) == ((0, 1), (2,), (3,))


def test_clean_drops_exactly_the_aliens_that_make_wrote(cli):
    words = ("--count", "131", "--test", "50", "--aliens", "6")
    assert cli("data", "make", "course.npz", *words).code == 0
    report = json.loads(cli("data", "inspect", "course.npz", "--json").out)
    assert [len(group) for group in report["aliens"]] == [6]
    assert "125 of 131 items remain" in cli("data", "clean", "course.npz", "c.npz", "--drop-aliens", "masks").out
    assert json.loads(cli("data", "inspect", "c.npz", "--json").out)["aliens"] == []


# convert


def assert_equal(first: SegmentationData, second: SegmentationData) -> None:
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.masks, second.masks)
    assert (first.class_names, first.ignore_classes) == (second.class_names, second.ignore_classes)


@pytest.mark.parametrize("layout", ["training_set", "images"])
def test_a_file_is_converted_to_whole_numbers(cli, made, layout):
    answer = cli("data", "convert", str(made), "small.npz", "--layout", layout)
    assert answer.code == 0
    assert "classes background, soil, bedrock, sand, big_rock; ignored background" in answer.out
    with np.load(made.with_name("small.npz")) as file:
        assert layout in file
        about_classes = {"class_names": "U", "class_ignored": "b"}
        assert {name: file[name].dtype.kind for name in about_classes} == about_classes
        assert {file[name].dtype for name in set(file) - set(about_classes)} == {np.dtype(np.uint8)}
    before, after = Npz(str(made)), Npz(str(made.with_name("small.npz")))
    assert_equal(before.load(), after.load())
    np.testing.assert_array_equal(before.unlabelled(), after.unlabelled())


def test_a_file_becomes_a_folder_and_a_file_again(cli, made):
    assert cli("data", "convert", str(made), "folder").code == 0
    folder = made.with_name("folder")
    assert left(folder) == ["classes.csv", "images", "marsseg.json", "masks", "unlabelled"]
    assert len(left(folder / "unlabelled")) == 5
    assert cli("data", "convert", str(folder), "back.npz").code == 0
    assert_equal(Npz(str(made)).load(), Npz(str(made.with_name("back.npz"))).load())


def test_colours_groups_and_void_are_written_too(colourful, tmp_path):
    def silent(done: int, total: int) -> None:
        assert done <= total

    write_npz(tmp_path / "colour.npz", colourful, colourful.images[:2], "images", silent)
    read = Npz(str(tmp_path / "colour.npz"), classes=colourful.class_names).load()
    assert_equal(read, colourful)
    np.testing.assert_array_equal(read.groups, colourful.groups)
    write_folder(tmp_path / "folder", colourful, colourful.images[:2], silent)
    read = Folder(str(tmp_path / "folder")).load()
    assert_equal(read, colourful)
    np.testing.assert_array_equal(read.groups, colourful.groups)


def test_colour_images_have_no_training_set_layout(colourful, tmp_path):
    with pytest.raises(RequestError, match="one channel"):
        write_npz(tmp_path / "colour.npz", colourful, None, "training_set", lambda done, total: None)
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["a\nb", "void", "#x", " x"])
def test_a_name_that_a_class_file_cannot_hold_is_refused(colourful, tmp_path, name):
    named = SegmentationData(colourful.images, colourful.masks, ("background", name, "ground"))
    with pytest.raises(RequestError, match="cannot contain the class name"):
        write_folder(tmp_path / "folder", named, None, lambda done, total: None)
    assert left(tmp_path) == []


@pytest.mark.parametrize("write", [write_folder, lambda *given: write_npz(*given[:3], "images", given[3])])
@pytest.mark.parametrize("cause", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_no_file(colourful, tmp_path, write, cause):
    def breaking(done: int, total: int) -> None:
        if done > 2:
            raise cause

    with pytest.raises(RunError if isinstance(cause, OSError) else KeyboardInterrupt):
        write(tmp_path / "new.npz", colourful, None, breaking)
    assert left(tmp_path) == []


def test_an_ai4mars_tree_gives_the_courses_ids(cli, tmp_path):
    tree = make_tree(tmp_path / "tree")
    assert cli("data", "convert", str(tree.root), "tiles.npz").code == 0
    from marsseg_plugins.datasets.ai4mars import AI4Mars

    source, converted = AI4Mars(str(tree.root)).load(), Npz(str(tmp_path / "tiles.npz")).load()
    assert_equal(source, converted)
    assert set(np.unique(converted.masks)) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(
        np.unique(source.groups, return_inverse=True)[1], np.unique(converted.groups, return_inverse=True)[1]
    )


# cache


def test_the_cache_is_listed_and_cleared(cli, made, tmp_path):
    own = {"MARSSEG_CACHE": str(tmp_path / "cache")}
    assert json.loads(cli("data", "cache", "--json", **own).out)["entries"] == []
    cli("data", "inspect", str(made), **own)
    listed = cli("data", "cache", **own).out
    assert "npz:made.npz\t" in listed
    assert "npz:made.npz, test_set\t" in listed
    record = json.loads(cli("data", "cache", "--json", **own).out)
    assert (record["schema"], record["cleared"], len(record["entries"])) == (2, False, 2)
    assert record["bytes"] == sum(entry["bytes"] for entry in record["entries"]) > 0
    cleared = cli("data", "cache", "--clear", **own).out
    assert "2 removed" in cleared
    assert json.loads(cli("data", "cache", "--json", **own).out)["entries"] == []


# interruption


@pytest.mark.slow
@pytest.mark.parametrize("words", [("make", "new.npz"), ("convert", "synthetic:count=1000", "new")])
def test_ctrl_c_leaves_nothing_and_exits_130(tmp_path, words):
    # Processes started by a background job of a shell ignore the signal by default.
    setup = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start = f"{setup}; from marsseg_core.cli.main import main; main()"
    environment = {key: value for key, value in (os.environ | PLAIN_TERMINAL).items() if value is not None}
    process = subprocess.Popen(
        [sys.executable, "-c", start, "data", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    # Until it writes images. Before, libraries are imported, which may swallow an interrupt.
    while sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 100_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert "Traceback" not in err
    assert left(tmp_path) == []
