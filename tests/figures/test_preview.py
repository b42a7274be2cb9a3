"""Test `marsseg show --preview`: images before and after an augmentation."""

import numpy as np
import pytest
from PIL import Image

from marsseg_core.figures.preview import Example, preview_sheet


def sheet(tmp_path, **changes):
    image = np.full((8, 16, 1), 0.5, np.float32)
    image[:4] = 0.25
    mask = np.ones((8, 16), np.uint8)
    pairs = [(image, mask), (changes.get("image", image), changes.get("mask", mask))]
    preview_sheet(
        [Example("a $ title", pairs)], ("before", "after"), ("void", "a", "b"), tmp_path / "s.png", ignore_classes=(0,)
    )
    return np.asarray(Image.open(tmp_path / "s.png").convert("RGB")).astype(int)


def test_an_overlay_has_the_colour_of_its_class(tmp_path):
    soil = sheet(tmp_path)
    other = sheet(tmp_path, mask=np.full((8, 16), 2, np.uint8))
    changed = np.flatnonzero((soil != other).any(axis=(0, 2)))
    assert changed.min() > soil.shape[1] * 0.7  # only in the last picture


def test_a_change_of_brightness_is_visible(tmp_path):
    brighter = sheet(tmp_path, image=np.full((8, 16, 1), 0.9, np.float32))
    assert (brighter != sheet(tmp_path)).any()


def test_ignored_classes_have_no_colour_and_void_is_striped(tmp_path):
    bare = sheet(tmp_path, mask=np.zeros((8, 16), np.uint8))
    void = sheet(tmp_path, mask=np.full((8, 16), 255, np.uint8))
    assert (bare != void).any()


@pytest.mark.parametrize("name", ["hflip", "rockmix", "rotate:degrees=40"])
def test_show_draws_it(name, tmp_path, cli):
    file = tmp_path / "preview.png"
    answer = cli("show", name, "--preview", str(file), "--data", "synthetic:count=12:height=16:width=32")
    assert answer.code == 0, answer.err
    assert str(file) in answer.out
    assert Image.open(file).size[0] > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dense", "--preview", "x.png"], "only an augmentation can be previewed"),
        (["hflip", "--preview", "x.jpg"], "does not end in .png"),
        (["hflip", "--preview", "nowhere/x.png"], "There is no folder"),
        (["hflip", "--data", "synthetic"], "--preview"),
        (["rotate:degree=4", "--preview", "x.png"], "degrees"),
    ],
)
def test_an_impossible_preview_is_refused(words, message, cli):
    answer = cli("show", *words)
    assert answer.code == 2
    assert message in " ".join(answer.err.split())


def test_rows_have_the_names_of_items(cli, tmp_path, monkeypatch):
    titles = []

    def draw(rows, headings, names, target, **options):
        titles.extend(row.title for row in rows)
        target.write_bytes(b"drawn")

    monkeypatch.setattr("marsseg_core.figures.preview.preview_sheet", draw)
    for kind in ("images", "masks"):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / f"mine/{kind}/rock.png")
    answer = cli("show", "hflip", "--preview", str(tmp_path / "x.png"), "--data", f"folder:path={tmp_path / 'mine'}")
    assert answer.code == 0, answer.err
    assert titles == ["rock.png of folder:mine"]
