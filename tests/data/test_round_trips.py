"""Test that files and folders keep all that a data set has: names, classes, colours, groups, a split, the scaling."""

from __future__ import annotations

import csv
import itertools
import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.export import write_folder, write_npz
from marsseg_core.data.file_names import file_names
from marsseg_core.data.scaling import Scaling
from marsseg_core.data.split import Split
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import make_split
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.npz import Npz

# Names as people, systems and tiles have them: bytes that are not UTF-8, the same name in two cases, long ones.
STRANGE = [
    "site 1/crater rim.JPG",
    "site 1/crater rim.png",
    " leading and trailing ",
    "Олимп/гора.tif@r64c128",
    "a\udce9.png",
    "A.png",
    "a.jpg",
    "a.jpg/a.png",
    "../up.png",
    ".hidden.png",
    "CON.png",
    'new\nline,"quoted";\t.png',
    "\u2028\x85.png",
    "x" * 300 + ".png",
    "/".join(["deep"] * 300),
    "é" * 4096,
    "8",
    "folder. /",
]


def silent(done: int, total: int) -> None:
    assert done <= total


def made(count: int = 6, channels: int = 1, **facts) -> SegmentationData:
    """Make data of `count` different images, with void in their masks."""
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, 2, 3, channels), np.uint8)
    masks = rng.choice(np.array([0, 1, 2, 255], np.uint8), (count, 2, 3))
    masks[0, 0] = 0, 1, 2
    facts = {"class_names": ("sky", "soil", "rock"), "ignore_classes": (0,), "source": "made"} | facts
    return SegmentationData(images, masks, **facts)


def everything(data: SegmentationData) -> dict:
    """Return all that a data set has, apart from its source."""
    return {
        "arrays": data.fingerprint(),
        "names": None if data.names is None else list(data.names),
        "classes": (data.class_names, data.class_colours, data.ignore_classes),
        "groups": None if data.groups is None else data.groups.tolist(),
        "split": data.split,
        "scaling": data.scaling,
    }


@pytest.fixture(autouse=True, scope="module")
def _constant_code():
    """Spare the hash of the code, which takes longer than reading data this small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marsseg_core.data.cached.code_hash", lambda *_: "")
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a function that writes data to a file or a folder and reads them again."""
    folder, number = tmp_path_factory.mktemp("written"), itertools.count()

    def write_and_read(data: SegmentationData, kind: str) -> SegmentationData:
        path = folder / str(next(number))
        if kind == "folder":
            write_folder(path, data, None, silent)
            return Folder(str(path)).load()
        write_npz(path.with_suffix(".npz"), data, None, kind, silent)
        return Npz(str(path.with_suffix(".npz"))).load()

    return write_and_read


FULL = {
    "names": ["b.png", "a.jpg", "z/c.png@r0c64", "z/c.png@r0c0", "é ü/d.tif", "e"],
    "groups": np.array([4, 4, 20, 20, -3, 3]),
    "split": {"train": [0, 1], "validation": [4], "test": [2, 3]},
    "class_colours": ((0, 0, 0), (128, 64, 0), (200, 200, 200)),
    "scaling": Scaling(0.1, 4095.3, "floats"),
}


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [("training_set", ()), ("images", ("names", "split")), ("images", tuple(FULL))]
    + [("folder", left_out) for left_out in [(), ("names",), ("groups",), ("split", "scaling"), tuple(FULL)]],
)
def test_what_is_written_is_read(written, kind, left_out):
    data = made(**{name: value for name, value in FULL.items() if name not in left_out})
    read = written(data, kind)
    if kind == "folder" and data.names is None:  # files always have names
        data = replace(data, names=read.names)
    assert everything(read) == everything(data)


def texts(**options):
    return st.text(min_size=1, max_size=12, **options).filter(lambda name: not name.endswith("\0"))


characters = st.characters(exclude_categories=["Cs", "Co"]) | st.sampled_from(
    [*"/. ~@aA\n,;\"'\\:", "\udc80", "\udcff", "\u0301"]
)


@st.composite
def data_sets(draw) -> SegmentationData:
    count, classes = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    some = texts(alphabet=characters) | st.sampled_from(STRANGE)
    facts = {
        "names": draw(st.none() | st.lists(some, min_size=count, max_size=count, unique=True)),
        "groups": draw(st.none() | st.lists(st.integers(-(10**9), 10**9), min_size=count, max_size=count)),
        "class_names": tuple(f"{letter} class" for letter in "dcba"[:classes]),
        "ignore_classes": tuple(draw(st.sets(st.integers(0, classes - 1), max_size=classes - 1))),
        "scaling": draw(st.none() | st.builds(Scaling, st.floats(-5, 0), st.floats(1, 2**16), st.just("integers"))),
    }
    if draw(st.booleans()):
        numbers = draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count).filter(lambda each: max(each) >= 0))
        facts["split"] = Split.from_numbers(np.array(numbers))
    if draw(st.booleans()):
        colour = st.tuples(*[st.sampled_from([0, 1, 254, 255])] * 3)
        facts["class_colours"] = draw(st.lists(colour, min_size=classes, max_size=classes, unique=True))
    facts["groups"] = None if facts["groups"] is None else np.array(facts["groups"])
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    masks = rng.choice(np.array([*range(classes), 255], np.uint8), (count, 2, 3))
    return SegmentationData(rng.integers(0, 256, (count, 2, 3, 3), np.uint8), masks, source="made", **facts)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets())
def test_round_trips_change_nothing(written, data):
    folder = written(data, "folder")
    assert everything(folder) == everything(replace(data, names=data.names or folder.names))
    file = written(folder, "images")
    assert everything(written(file, "folder")) == everything(file) == everything(folder)


def test_strange_names_are_kept_by_files_and_folders(written):
    data = made(len(STRANGE), names=STRANGE)
    for kind in ("images", "folder"):
        assert everything(written(data, kind)) == everything(data)


def test_names_of_files_are_valid_and_differ_on_every_system():
    files = file_names(STRANGE)
    assert len({file.casefold() for file in files}) == len(STRANGE)
    for file in files:
        parts = file.split("/")
        assert all(0 < len(part.encode()) <= 255 and part[0] != "." and part[-1] not in " ." for part in parts)
        assert not set(file) & set('\n\x85<>:"|?*\\')
        assert not any(part.endswith((".png", ".jpg")) for part in parts[:-1])
    assert file_names(["site1/a.png", "b.JPG", "c"]) == ["site1/a", "b", "c"]
    assert file_names(["a.jpg", "a.png", "A"]) == ["a", "a~2", "A~3"]


def test_changed_names_of_files_are_told(tmp_path, caplog):
    write_folder(tmp_path / "told", made(3, names=["a.jpg", "b:c.png", "a.png"]), None, silent)
    assert (
        "told: 2 files have another name than the item, such as b_c.png for 'b:c.png': the item's name cannot be that "
        "of a file, or differs from another only in the suffix. items.csv has all names."
    ) in caplog.messages


@pytest.mark.parametrize("name", ["", "a\0", "\ud800", "x" * 4097])
@pytest.mark.parametrize("kind", ["folder", "images"])
def test_names_that_cannot_be_stored_are_refused(tmp_path, written, kind, name):
    with pytest.raises(RequestError, match=r"The name of an item (is|has)"):
        written(made(2, names=["a", name]), kind)


def test_a_folder_says_what_its_files_do_not(tmp_path):
    write_folder(tmp_path / "out", made(**FULL), None, silent)
    with (tmp_path / "out" / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["item", "file", "subset", "group"]
    assert rows[3] == ["z/c.png@r0c64", "z/c@r0c64.png", "test", "20"]
    assert rows[6] == ["e", "e.png", "", "3"]
    assert (tmp_path / "out" / "classes.csv").read_text().splitlines()[1:] == [
        "sky,0,0,0",
        "soil,128,64,0",
        "rock,200,200,200",
        "void,255,255,255",
    ]


def test_items_that_files_say_all_about_need_no_table(tmp_path):
    write_folder(tmp_path / "out", made(), None, silent)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "classes.csv",
        "images",
        "marsseg.json",
        "masks",
    ]


def test_colours_that_two_classes_share_are_left_out_and_told(tmp_path, caplog):
    same = ((1, 1, 1), (1, 1, 1), (2, 2, 2))
    write_folder(tmp_path / "out", made(class_colours=same), None, silent)
    assert "Two classes of made have the same colour: masks are written without colours." in caplog.messages
    assert Folder(str(tmp_path / "out")).load().class_colours is None


def test_the_table_of_a_folder_is_a_split_file(written, tmp_path):
    names = [name for name in STRANGE if name.strip()]
    numbers = np.arange(len(names)) % 3
    data = made(len(names), names=names, split=Split.from_numbers(numbers))
    write_folder(tmp_path / "out", data, None, silent)
    split = make_split(data, SplitOptions(subsets=str(tmp_path / "out" / "items.csv")))
    assert (split.numbers(len(names)) == numbers).all()
    assert split.origin == "file"


@pytest.mark.parametrize("kind", ["folder", "images"])
def test_scaled_values_are_not_scaled_again(tmp_path, caplog, kind):
    scaling = Scaling(0, 4095, "integers")
    data = made(scaling=scaling)
    if kind == "folder":
        write_folder(tmp_path / "out", data, None, silent)
        source = Folder(str(tmp_path / "out"))
    else:
        write_npz(tmp_path / "out.npz", data, None, "images", silent)
        source = Npz(str(tmp_path / "out.npz"))
    assert source.load().scaling == scaling
    assert source.with_scaling(scaling) == source
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and "scaling" in record.msg]
    assert source.with_scaling(Scaling(0, 1023, "integers")) == source
    assert any("was scaled differently from the network" in record.message for record in caplog.records)
    by_hand = replace(source, range="10..20@bytes")
    assert by_hand.load().scaling == Scaling(10, 20, "bytes")
