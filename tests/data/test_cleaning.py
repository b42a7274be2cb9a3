"""Test cleaning: off by default, in a fixed order, reported, and reproducible."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.conventions import VOID
from marsseg_core.data import cache
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.cleaning import clean
from marsseg_core.data.cleaning_options import CleaningOptions
from marsseg_core.data.labels import fill_margin, spurious_margin
from marsseg_core.errors import RequestError, RunError
from marsseg_core.runs.data import read_data

pytestmark = pytest.mark.usefixtures("without_reports")

CLASSES = ("background", "soil", "bedrock", "sand", "rock")
ALIENS, COPIES = [2, 9, 13], [4, 9, 17]


@pytest.fixture
def faulty() -> SegmentationData:
    """Return 20 items: three with one mask, three with one image, item 9 in both; groups are numbered by item."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 16, 24, 1), np.uint8)
    masks = rng.integers(1, 5, (20, 16, 24), np.uint8)
    masks[ALIENS], images[COPIES] = masks[2], images[4]
    return SegmentationData(images, masks, CLASSES, (0,), np.arange(20) * 10, "made")


def remaining(data: SegmentationData) -> list[int]:
    return (data.groups // 10).tolist()


def without(*items: int) -> list[int]:
    return [item for item in range(20) if item not in items]


def test_cleaning_is_off_by_default(faulty):
    assert clean(faulty, CleaningOptions()) is faulty
    assert api.plan(data="synthetic").cleaning == CleaningOptions()


def test_aliens_are_dropped_by_their_mask(faulty):
    cleaned = clean(faulty, CleaningOptions(drop_aliens="masks"))
    assert remaining(cleaned) == without(2, 9, 13)
    np.testing.assert_array_equal(cleaned.images, faulty.images[remaining(cleaned)])
    np.testing.assert_array_equal(cleaned.masks, faulty.masks[remaining(cleaned)])
    assert cleaned.cleaning.aliens == ((2, 9, 13),)
    assert str(cleaned.cleaning) == "3 aliens dropped (by masks); 17 of 20 items remain"


def test_one_duplicate_is_told_in_the_singular(faulty):
    images = np.array(faulty.images)
    images[COPIES[2]] = images[0, ::-1]  # two copies are left
    cleaned = clean(replace(faulty, images=images), CleaningOptions(drop_duplicates=True))
    assert str(cleaned.cleaning) == "1 duplicate dropped; 19 of 20 items remain"


def test_the_report_names_what_was_dropped_if_items_have_names(faulty):
    options = CleaningOptions(drop_aliens="masks", drop_duplicates=True)
    named = replace(faulty, names=[f"{item}.png" for item in range(20)])
    report = clean(named, options).cleaning.to_json()
    assert report["names"] == {str(item): f"{item}.png" for item in sorted({*ALIENS, *COPIES})}
    without_names = clean(faulty, options).cleaning.to_json()
    assert without_names == {key: value for key, value in report.items() if key != "names"}


def test_drop_aliens_by_images_drops_copies(faulty):
    cleaned = clean(faulty, CleaningOptions(drop_aliens="images"))
    assert remaining(cleaned) == without(4, 9, 17)


def test_the_first_of_duplicates_remains(faulty):
    cleaned = clean(faulty, CleaningOptions(drop_duplicates=True))
    assert remaining(cleaned) == without(9, 17)
    assert cleaned.cleaning.to_json()["dropped_duplicates"] == [{"kept": 4, "dropped": [9, 17]}]


def test_aliens_are_dropped_before_duplicates(faulty):
    images = faulty.images.copy()
    images[0] = images[2]  # a copy of an alien: it remains, as the alien is dropped
    cleaned = clean(replace(faulty, images=images), CleaningOptions("masks", drop_duplicates=True))
    assert remaining(cleaned) == without(2, 9, 13, 17)
    assert cleaned.cleaning.duplicates == ((4, 17),)


def test_cleaned_data_has_its_own_fingerprint_and_source(faulty):
    cleaned = clean(faulty, CleaningOptions("masks"))
    assert cleaned.fingerprint() != faulty.fingerprint()
    assert cleaned.fingerprint() == clean(faulty, CleaningOptions("masks")).fingerprint()
    assert cleaned.source == "made, cleaned"
    assert int(cleaned.label_counts.sum()) == cleaned.masks.size


def test_the_margin_is_filled_last_and_reported_by_original_items(faulty):
    masks = faulty.masks.copy()
    masks[15, :2] = 0
    cleaned = clean(replace(faulty, masks=masks), CleaningOptions("masks", fill_margin=2))
    assert cleaned.cleaning.filled == {15: 48}
    assert remaining(cleaned) == without(2, 9, 13)
    assert (cleaned.masks > 0).all()
    assert (masks[15, :2] == 0).all()  # the original data is not changed


def test_aliens_are_found_by_their_original_masks(faulty):
    masks = faulty.masks.copy()
    masks[ALIENS, :2] = 0
    masks[13, 0, 0] = 1  # after filling, its mask would equal that of the others
    cleaned = clean(replace(faulty, masks=masks), CleaningOptions("masks", fill_margin=2))
    assert cleaned.cleaning.aliens == ((2, 9),)


def test_cleaning_that_leaves_no_item_is_refused(faulty):
    only = replace(faulty, images=faulty.images[ALIENS], masks=faulty.masks[ALIENS], groups=None)
    with pytest.raises(RequestError, match="leaves no image"):
        clean(only, CleaningOptions("masks"))


def test_memory_mapped_data_stays_on_disk(faulty, tmp_path):
    mapped = {}
    for name in ("images", "masks"):
        np.save(tmp_path / name, getattr(faulty, name))
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    options = CleaningOptions("masks", drop_duplicates=True, fill_margin=1)
    cleaned, expected = clean(replace(faulty, **mapped), options), clean(faulty, options)
    assert isinstance(cleaned.images, np.memmap)
    assert isinstance(cleaned.masks, np.memmap)
    assert cleaned.fingerprint() == expected.fingerprint()
    assert list(cache.root().glob("*tmp*")) == []  # their file has no name


def test_memory_mapped_data_of_ones_own_may_be_the_first_in_the_cache(faulty, tmp_path, monkeypatch):
    np.save(tmp_path / "images", faulty.images)
    monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "new" / "cache"))
    mapped = replace(faulty, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert remaining(clean(mapped, CleaningOptions("masks"))) == without(*ALIENS)


def test_a_disk_that_cannot_be_written_is_reported(faulty, tmp_path, monkeypatch):
    np.save(tmp_path / "images", faulty.images)
    monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "images.npy" / "below a file"))
    mapped = replace(faulty, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    with pytest.raises(RunError, match="selected data cannot be written"):
        clean(mapped, CleaningOptions("masks"))


def test_a_strip_gets_the_nearest_label_and_sky_is_unchanged():
    mask = np.array(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 1, 1, 2, 0, 0],
            [0, 1, 1, 2, 0, 0],
            [0, 1, 1, 2, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ],
        np.uint8,
    )
    filled, pixels = fill_margin(mask, (0,), 1)
    assert filled.tolist() == [
        [1, 1, 1, 2, 0, 0],
        [1, 1, 1, 2, 0, 0],
        [1, 1, 1, 2, 0, 0],
        [1, 1, 1, 2, 0, 0],
        [1, 1, 1, 2, 0, 0],
    ]
    assert pixels == 11


def test_a_strip_wider_than_the_margin_is_unchanged():
    mask = np.full((12, 12), 3, np.uint8)
    mask[:4] = 0
    assert fill_margin(mask, (0,), 3)[1] == 0
    assert fill_margin(mask, (0,), 4)[1] == 4 * 12


masks_and_margins = {
    "mask": arrays(
        np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 1, 2, VOID])
    ),
    "margin": st.integers(1, 14),
}


@given(**masks_and_margins)
def test_only_unlabelled_pixels_of_the_margin_are_filled(mask, margin):
    filled, pixels = fill_margin(mask, (0,), margin)
    changed = filled != mask
    inside = np.zeros(mask.shape, bool)
    inside[margin : mask.shape[0] - margin, margin : mask.shape[1] - margin] = True
    assert changed.sum() == pixels == spurious_margin(mask[None], (0,), margin).sum()
    assert not (changed & inside).any()
    assert np.isin(mask[changed], (0, VOID)).all()
    assert np.isin(filled[changed], (1, 2)).all()


@given(**masks_and_margins)
def test_filled_pixels_have_the_label_of_a_nearest_pixel(mask, margin):
    filled, _ = fill_margin(mask, (0,), margin)
    labelled = np.argwhere((mask == 1) | (mask == 2))
    for place in np.argwhere(filled != mask):
        distance = ((labelled - place) ** 2).sum(axis=1)
        nearest = labelled[distance == distance.min()]
        assert filled[tuple(place)] in mask[tuple(nearest.T)]


def test_a_plan_stores_its_cleaning(tmp_path):
    plan = api.plan(data="synthetic:count=20:aliens=4", drop_aliens="masks", overrides=["cleaning.fill_margin=2"])
    assert plan.cleaning == CleaningOptions("masks", fill_margin=2)
    (tmp_path / "plan.toml").write_text(plan.to_toml())
    assert api.plan(tmp_path / "plan.toml").cleaning == plan.cleaning
    assert ("cleaning.fill_margin", "2", "overrides") in plan.rows()
    assert len(read_data(plan)) == 16


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("drop_aliens=yes", "masks, images or none"),
        ("fill_margin=-1", "at least 0"),
        ("dropaliens=masks", "drop_aliens"),
    ],
)
def test_a_wrong_setting_is_refused(setting, complaint):
    with pytest.raises(RequestError, match=complaint):
        api.plan(data="synthetic", overrides=[f"cleaning.{setting}"])


@pytest.mark.slow
def test_a_run_cleans_before_it_splits_and_stores_the_report(tmp_path):
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "epochs": 1}
    data = "synthetic:count=40:aliens=8:height=16:width=32"
    run = marsseg.run(**words, data=data, drop_aliens="masks", out=tmp_path / "cleaned")
    split = json.loads(run.folder.split.read_text())
    assert sum(len(split[subset]) for subset in ("train", "validation", "test")) == 32
    record = json.loads(run.folder.cleaning.read_text())
    assert record["schema"] == 1
    assert (record["items"], record["remaining"]) == (40, 32)
    assert [len(group) for group in record["dropped_aliens"]] == [8]
    assert "8 aliens dropped" in run.folder.log_file.read_text()
    assert read_data(api.plan(run.path)).fingerprint() == split["fingerprint"]


@pytest.mark.slow
def test_a_run_without_cleaning_has_no_report(tmp_path):
    run = marsseg.run(
        arch="unet:width=0.125:depth=2:convolutions=1",
        bottleneck="none",
        epochs=1,
        data="synthetic:count=20:height=16:width=32",
        out=tmp_path / "run",
    )
    assert not run.folder.cleaning.exists()
