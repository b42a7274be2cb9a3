"""Test the table items.csv of a folder, as people write it: names, subsets, groups, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.item_table import apply_item_table
from marsseg_plugins.datasets.pairs import Pair


@pytest.fixture
def table(tmp_path):
    """Return a function that applies a table with this text to the pairs a.png, b.png, s/c.jpg and s/d.png."""

    def apply(text, *, groups=True, unpaired="refuse"):
        (tmp_path / "items.csv").write_text(text, encoding="utf-8")
        names = ["a.png", "b.png", "s/c.jpg", "s/d.png"]
        pairs = [Pair(tmp_path / "images" / name, tmp_path / name, name, int("/" in name)) for name in names]
        return apply_item_table(tmp_path, pairs, groups=groups, unpaired=unpaired)

    return apply


ALL = "\na.png,{}\nb,{}\ns/c,{}\ns/d.png,{}"


def test_subsets_are_called_in_any_usual_way(table):
    pairs = table("Item;Subset" + ALL.replace(",", ";").format("train", "Val", "", "testing"))
    assert [pair.subset for pair in pairs] == ["train", "validation", "", "test"]
    assert [pair.name for pair in pairs] == ["a.png", "b.png", "s/c.jpg", "s/d.png"]
    assert [pair.group for pair in pairs] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("groups", "numbers"),
    [(("7", "-7", "7", "12"), [7, -7, 7, 12]), (("x", "", "x", "w"), [1, 3, 1, 0]), (("",) * 4, [None] * 4)],
)
def test_groups_replace_those_of_subfolders(table, groups, numbers):
    assert [pair.group for pair in table("item,group" + ALL.format(*groups))] == numbers
    assert [pair.group for pair in table("item,group" + ALL.format(*groups), groups=False)] == [0, 0, 1, 1]


def test_the_order_is_that_of_the_table_and_other_images_come_last(table, caplog):
    pairs = table("item,file\nlast,s/d.png\nfirst,a")
    assert [pair.name for pair in pairs] == ["last", "first", "b.png", "s/c.jpg"]
    assert any("2 images are not in" in message and "b.png, s/c.jpg" in message for message in caplog.messages)
    table("item\na.png\nb.png\ns/c.jpg")
    assert any("1 image is not in" in message and ": s/d.png." in message for message in caplog.messages)


def test_a_table_of_something_else_is_not_used(table, caplog):
    assert len(table("price,name\n1,x")) == 4
    assert any("has no column `item`, and is not used" in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("item\nx.png", "1 item has no image and mask: x.png."),
        ("item\na.png\na", "Line 3 is for the same image as line 2: a"),
        ("item,subset\na.png,trian", "Line 2: there is no subset 'trian'."),
        ("item,subset\na.png", "Line 2 has 1 fields; the header has 2."),
    ],
)
def test_a_wrong_table_is_refused(table, text, what):
    with pytest.raises(RequestError) as caught:
        table(text)
    assert caught.value.what == what
    assert caught.value.where.endswith("items.csv")


def test_items_without_an_image_can_be_left_out(table):
    first, *_ = table("item\nx.png\nb.png", unpaired="skip")
    assert first.name == "b.png"


SCALED = (
    '{{"schema": 1, "ignore_classes": [], '
    '"scaling": {{"low": {low}, "high": {high}, "numbers": "integers", "per": "set"}}}}'
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "marsseg.json cannot be read: Expecting property name"),
        ("[]", "marsseg.json: the content must be a table, not []."),
        ("[" * 10_000, "marsseg.json cannot be read: its values are nested too deeply."),
        ("{}", "marsseg.json: schema, scaling, ignore_classes are missing."),
        (
            '{"schema": 2, "scaling": null, "ignore_classes": []}',
            "marsseg.json: schema must be a whole number",
        ),
        (
            '{"schema": 1, "scaling": {"low": 1e999}, "ignore_classes": []}',
            "marsseg.json cannot be read: the num",
        ),
        ('{"schema": 1, "scaling": {"low": 3}, "ignore_classes": []}', "marsseg.json: scaling.high, scaling.numbers, "),
        ('{"schema": 1, "scaling": null, "ignore_classes": [true]}', "marsseg.json: ignore_classes"),
        (SCALED.format(low=9, high=9), "The scaling is not as marsseg writes it: a range has a lower and a higher end"),
    ],
)
def test_a_wrong_file_of_facts_is_refused(tmp_path, text, what):
    from marsseg_core.data.folder_facts import read_folder_facts

    (tmp_path / "marsseg.json").write_text(text)
    with pytest.raises(RequestError) as caught:
        read_folder_facts(tmp_path)
    assert caught.value.what.startswith(what)


def test_a_folder_whose_values_are_no_longer_scaled_is_refused(tmp_path):
    from marsseg_plugins.datasets.folder import Folder

    for name, pixels in (("images", np.full((2, 2), 4000, np.uint16)), ("masks", np.zeros((2, 2), np.uint8))):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "a.png")
    scaling = '{"low": 0, "high": 4095, "numbers": "integers", "per": "set"}'
    (tmp_path / "marsseg.json").write_text(f'{{"schema": 1, "scaling": {scaling}, "ignore_classes": []}}')
    with pytest.raises(RequestError, match="says that the values are scaled to 0 to 255 already"):
        Folder(str(tmp_path)).load()
