"""Read the AI4Mars release: pair labels with images, convert values to class ids, and refuse wrong files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from helpers.ai4mars_tree import Tree, make_tree, msl_stem
from hypothesis import given, settings, strategies as st
from PIL import Image

from marsseg_core.data.images import read_image
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.ai4mars import AI4Mars
from marsseg_plugins.datasets.ai4mars_labels import KEYS
from marsseg_plugins.datasets.ai4mars_release import find_pairs

pytestmark = pytest.mark.usefixtures("without_reports")

LAYOUTS = ["0.6", "0.1"]
TERRAIN = [
    ("msl", "ncam", "train"),
    ("msl", "ncam", "gold1"),
    ("msl", "ncam", "gold2"),
    ("msl", "ncam", "gold3"),
    ("msl", "mcam", "train"),
    ("mer", "ncam", "train"),
    ("mer", "ncam", "gold1"),
    ("mer", "ncam", "gold2"),
    ("mer", "ncam", "gold3"),
    ("m2020", "ncam", "train"),
    ("m2020", "mcam", "train"),
    ("m2020", "hafiq", "train"),
]


OLD = [key for key in TERRAIN if key[:2] in (("msl", "ncam"), ("mer", "ncam"))]
CASES = [("0.6", key) for key in TERRAIN] + [("0.1", key) for key in OLD]


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> dict[str, Tree]:
    return {layout: make_tree(tmp_path_factory.mktemp(f"merged-{layout}"), layout) for layout in LAYOUTS}


@pytest.fixture(params=LAYOUTS)
def tree(request, trees) -> Tree:
    return trees[request.param]


@pytest.fixture
def whole(tmp_path) -> Tree:
    """Return a merged-0.6 tree that the test may change."""
    return make_tree(tmp_path / "ai4mars")


def names(tree: Tree, pairs) -> set[tuple[str, str]]:
    return {(str(pair.image.relative_to(tree.root)), str(pair.mask.relative_to(tree.root))) for pair in pairs}


def data_of(tree: Tree, **parameters):
    return AI4Mars(str(tree.root), **{"height": 16, "width": 16} | parameters).load()


def refusal(tree: Tree, **parameters) -> RequestError:
    with pytest.raises(RequestError) as caught:
        data_of(tree, **parameters)
    return caught.value


# --- pairs


@pytest.mark.parametrize(("layout", "key"), CASES, ids=str)
def test_every_label_finds_its_image_and_none_a_wrong_one(trees, layout, key):
    tree = trees[layout]
    rover, camera, labels = key
    matches = find_pairs(tree.root, [rover], [camera], labels)
    assert names(tree, matches.pairs) == set(tree.expected[key])
    assert matches.faults == ()


def test_without_a_camera_all_of_a_rover_are_read(whole):
    matches = find_pairs(whole.root, ["m2020", "msl"], None, "train")
    wanted = {pair for key, pairs in whole.expected.items() if key[2] == "train" and key[0] != "mer" for pair in pairs}
    assert names(whole, matches.pairs) == wanted


def test_geology_is_another_taxonomy_and_read_only_on_request(whole):
    assert not any(
        "M2020_GEO" in label for _, label in names(whole, find_pairs(whole.root, ["m2020"], None, "train").pairs)
    )
    matches = find_pairs(whole.root, ["m2020"], None, "train", "geology")
    wanted = {pair for key, pairs in whole.expected.items() if key[2] == "geology" for pair in pairs}
    assert names(whole, matches.pairs) == wanted
    data = data_of(whole, rover=("m2020",), camera=("hafiq",), taxonomy="geology")
    assert data.num_classes == 22
    ((_, label),) = whole.expected["m2020", "hafiq", "geology"]
    raw = np.asarray(Image.open(whole.root / label))
    for value, name in [(0, "bedrock_massive"), (6, "bedrock_unsure"), (17, "float_rock_unsure"), (50, "hill")]:
        np.testing.assert_array_equal(data.masks[0] == data.class_names.index(name), raw == value)
    np.testing.assert_array_equal(data.masks[0] == 0, raw == 255)


words = st.text("abcXYZ019", min_size=1, max_size=5)


@settings(max_examples=40)
@given(stems=st.lists(st.lists(words, min_size=1, max_size=3).map("_".join), min_size=1, max_size=6), data=st.data())
def test_a_label_belongs_to_the_longest_image_name_that_begins_it(tmp_path_factory, stems, data):
    root = tmp_path_factory.mktemp("names")
    tree = Tree(root)
    images = {stem.lower(): stem for stem in stems}
    for stem in images.values():
        tree.image(f"mer/images/eff/{stem}.JPG", (2, 2))
    chosen = data.draw(st.sampled_from(sorted(images.values())))
    ends = data.draw(st.lists(words, max_size=3))
    label = "_".join([chosen, *ends])
    tree.label(f"mer/labels/train/merged-unmasked/{label}.png", (2, 2))
    segments = label.lower().split("_")
    beginnings = ["_".join(segments[:length]) for length in range(len(segments), 0, -1)]
    longest = next(images[beginning] for beginning in beginnings if beginning in images)
    (pair,) = find_pairs(root, ["mer"], None, "train").pairs
    assert pair.image.stem == longest


# --- ids


@pytest.mark.parametrize(("layout", "key"), CASES, ids=str)
def test_class_counts_are_exact(trees, layout, key):
    tree = trees[layout]
    rover, camera, labels = key
    data = data_of(
        tree, rover=(rover,), camera=(camera,), labels=labels, resize="tiles", height=8, width=8, edges="pad"
    )
    masks = [tree.ids[label] for _, label in tree.expected[key]]
    expected = sum(np.bincount(mask.ravel(), minlength=5) for mask in masks)
    np.testing.assert_array_equal(np.bincount(data.masks.ravel(), minlength=256)[:5], expected)
    assert data.class_names == ("background", "soil", "bedrock", "sand", "big_rock")
    assert data.ignore_classes == (0,)


def test_the_legacy_null_of_the_mast_camera_is_background(whole):
    _, label = whole.expected["msl", "mcam", "train"][0]
    raw = np.asarray(Image.open(whole.root / label))
    assert (raw == 4).any()
    data = data_of(whole, camera=("mcam",), resize="tiles", height=12, width=16)
    assert (data.masks[0][raw == 4] == 0).all()


@pytest.mark.parametrize("labels", ["train", "gold1", "gold3"])
def test_masks_are_the_labels_with_rover_and_range_taken_out_of_training_ones_only(tree, labels):
    data = data_of(tree, camera=("ncam",), labels=labels)
    pairs = find_pairs(tree.root, ["msl"], ["ncam"], labels).pairs
    for mask, image, pair in zip(data.masks, data.images, pairs, strict=True):
        np.testing.assert_array_equal(mask, tree.ids[str(pair.mask.relative_to(tree.root))])
        np.testing.assert_array_equal(image, read_image(pair.image))


def test_both_layouts_hold_the_same(tmp_path):
    new, old = (data_of(make_tree(tmp_path / layout, layout), camera=("ncam",)) for layout in LAYOUTS)
    assert new.fingerprint() == old.fingerprint()


def test_resizing_keeps_ids_and_unlabelled_pixels(whole):
    smaller = data_of(whole, camera=("ncam",), height=7, width=11)
    assert smaller.images.shape == (5, 7, 11, 1)
    assert set(np.unique(smaller.masks)) <= {0, 1, 2, 3, 4}
    larger = data_of(whole, camera=("ncam",), height=48, width=32)
    first = whole.ids[whole.expected["msl", "ncam", "train"][0][1]]
    np.testing.assert_array_equal(larger.masks[0], first.repeat(3, axis=0).repeat(2, axis=1))


def test_tiles_of_an_image_have_its_place_and_void_beyond_its_edge(whole):
    data = data_of(whole, camera=("ncam",), resize="tiles", height=10, width=16, edges="pad")
    assert data.images.shape == (10, 10, 16, 1)
    assert data.groups.tolist() == [30078, 30078, 30079, 30079, 30080, 30080, 30078, 30078, 30079, 30079]
    assert (data.masks[1, 6:] == 255).all()
    assert not data.images[1, 6:].any()
    assert (data.masks[0] != 255).all()


def test_tiles_may_be_cut_from_the_image_made_smaller(whole):
    data = data_of(whole, camera=("ncam",), resize="tiles", height=8, width=8, scale=0.5)
    assert data.images.shape == (5, 8, 8, 1)


def test_colour_is_kept_on_request(whole):
    assert data_of(whole, camera=("mcam",)).images.shape == (3, 16, 16, 1)
    colours = data_of(whole, camera=("mcam",), colour="rgb").images
    assert colours.shape == (3, 16, 16, 3)
    assert (colours[..., 0] != colours[..., 1]).any()
    mixed = data_of(whole, colour="rgb").images
    assert mixed.shape == (8, 16, 16, 3)


def test_an_image_of_another_resolution_than_its_label_takes_the_labels(whole):
    image, label = whole.expected["m2020", "hafiq", "train"][0]
    whole.image(image, (32, 32), colour=True)
    data = data_of(whole, rover=("m2020",), camera=("hafiq",))
    np.testing.assert_array_equal(data.masks[0], whole.ids[label])


# --- places


def test_the_group_of_a_curiosity_image_is_its_rover_position(whole):
    data = data_of(whole, camera=("ncam",))
    assert data.groups.tolist() == [30078, 30079, 30080, 30078, 30079]  # the left eye's, then the right one's


def test_without_groups_the_tiles_of_an_image_still_stay_together(whole):
    data = data_of(whole, camera=("ncam",), resize="tiles", height=10, width=16, groups="none")
    assert data.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_images_of_one_place_share_a_group_whatever_the_rover(whole):
    mer = data_of(whole, rover=("mer",)).groups
    assert len(set(mer)) == 4  # two rovers, two places each
    m2020 = data_of(whole, rover=("m2020",), camera=("ncam",)).groups
    assert len(set(m2020)) == 1
    together = data_of(whole, rover=("msl", "mer", "m2020")).groups
    # Positions, days of the mast camera, positions, the position of both cameras, one whose name tells nothing.
    assert len(set(together)) == 3 + 3 + 4 + 1 + 1


# --- choosing


def test_a_limit_takes_images_evenly_spread(whole):
    data = data_of(whole, camera=("ncam",), limit=2)
    pairs = find_pairs(whole.root, ["msl"], ["ncam"], "train").pairs
    for mask, pair in zip(data.masks, (pairs[0], pairs[2]), strict=True):
        np.testing.assert_array_equal(mask, whole.ids[str(pair.mask.relative_to(whole.root))])


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"camera": ("hafiq",)}, "There are no train labels of msl hafiq in this folder."),
        ({"camera": ("ncam", "hafiq")}, "There are no train labels of msl hafiq in this folder."),
        ({"labels": "gold2", "camera": ("mcam",)}, "There are no gold2 labels of msl mcam in this folder."),
        ({"labels": "gold2", "rover": ("m2020",)}, "There are no gold2 labels of m2020 in this folder."),
    ],
)
def test_what_the_release_does_not_have_is_refused(whole, parameters, what):
    error = refusal(whole, **parameters)
    assert error.what == what
    assert error.where == str(whole.root)


def test_the_hint_says_where_labels_should_be(tmp_path):
    (tmp_path / "msl").mkdir()
    error = refusal(Tree(tmp_path), rover=("mer",))
    assert error.hint == "Labels of mer should be in mer/labels/train/merged-unmasked."


def test_geology_belongs_to_one_rover():
    with pytest.raises(ValueError, match="rover=m2020"):
        AI4Mars("there", taxonomy="geology")


def test_the_release_is_recognised_by_its_folders(tree, tmp_path, cli):
    assert AI4Mars.recognises(tree.root)
    assert not AI4Mars.recognises(tmp_path)
    answer = cli("run", "--data", str(tree.root), "--set", "data.ai4mars.rover=msl,mer", "--dry-run")
    assert answer.code == 0, answer.err
    assert "msl,mer" in answer.out


def test_the_rovers_are_listed_and_others_are_refused(cli):
    assert "list of 1 or more out of msl, mer, m2020" in cli("show", "ai4mars").out
    answer = cli("run", "--data", "ai4mars:path=.:rover=sojourner", "--dry-run")
    assert answer.code == 2
    assert "expected one of msl, mer, m2020" in answer.err


# --- trees that are refused


def test_an_image_of_more_than_8_bits_is_refused(whole):
    """It was scaled over the whole range of 16 bits: one of 12 bits became nearly black."""
    image = whole.expected["msl", "ncam", "train"][0][0]
    path = whole.root / image
    size = Image.open(path).size
    Image.fromarray(np.full(size[::-1], 4095, np.uint16)).save(path, format="PNG")
    error = refusal(whole, camera=("ncam",))
    assert error.what == "This image has values of type uint16; the images of the release have 8 bits."
    assert "folder" in error.hint


def test_a_label_without_an_image_is_refused_by_name(whole):
    whole.label(f"msl/ncam/labels/train/{msl_stem(1, 1)}.png")
    error = refusal(whole, camera=("ncam",))
    assert error.what == f"1 label without an image in msl/ncam/labels/train: {msl_stem(1, 1)}.png."
    assert "unpaired=skip" in error.hint


def test_a_label_whose_image_is_another_cameras_is_refused(whole):
    # Its image is there, but among those of the navigation camera.
    name = f"{msl_stem(398919509, 30078)}_15033_merged.png"
    whole.label(f"msl/mcam/labels/train/{name}")
    assert refusal(whole, camera=("mcam",)).what == f"1 label without an image in msl/mcam/labels/train: {name}."


def test_a_label_that_fits_images_of_two_cameras_is_refused(whole):
    image, label = whole.expected["m2020", "ncam", "train"][0]
    whole.image(image.replace("/ncam/", "/mcam/"))
    error = refusal(whole, rover=("m2020",), camera=("ncam",))
    assert error.what == f"1 label with images of two cameras in m2020/labels/NAV: {Path(label).name}."


def test_a_second_label_of_an_image_is_refused(whole):
    _, label = whole.expected["mer", "ncam", "train"][0]
    second = label.replace("_merged6", "_16165_merged6")
    whole.label(second)
    error = refusal(whole, rover=("mer",))
    what = f"1 label for an image that has another label in mer/labels/train/merged-unmasked: {Path(second).name}."
    assert error.what == what
    data = data_of(whole, rover=("mer",), unpaired="skip")
    assert len(data) == 4


def test_skipped_labels_are_counted_in_a_warning(whole, caplog):
    for number in range(5):
        whole.label(f"msl/ncam/labels/train/{msl_stem(number, 1)}.png")
    with caplog.at_level(logging.WARNING):
        data = data_of(whole, camera=("ncam",), unpaired="skip")
    assert len(data) == 5
    assert caplog.messages == [
        "Left out of ai4mars: 5 labels without an image in msl/ncam/labels/train: "
        f"{msl_stem(0, 1)}.png, {msl_stem(1, 1)}.png, {msl_stem(2, 1)}.png and 2 more."
    ]


def test_two_images_of_one_name_are_refused(whole):
    image, _ = whole.expected["mer", "ncam", "train"][0]
    whole.image(image.replace(".JPG", ".png").replace("EFF", "eff", 2))
    whole.image(str(Path(image).with_suffix(".png")))
    assert "which of them is meant?" in refusal(whole, rover=("mer",)).what


def test_a_tree_without_images_is_refused(tmp_path):
    tree = Tree(tmp_path)
    tree.label("mer/labels/train/merged-unmasked/a_merged6.png")
    error = refusal(tree, rover=("mer",))
    assert error.what == "No label matches an image."
    (tmp_path / "mer/labels/train/merged-unmasked/a_merged6.png").unlink()
    assert refusal(tree, rover=("mer",)).what == "No label matches an image."


@pytest.mark.parametrize("camera", ["ncam", "mcam"])
def test_a_value_that_is_no_class_is_refused_with_its_file(whole, camera):
    _, label = whole.expected["msl", camera, "train"][0]
    whole.label(label, whole.ids[label].shape, (0, 9))
    error = refusal(whole, camera=(camera,))
    assert error.what == "The label holds the value 9; known values are 0, 1, 2, 3, and 255 for no label."
    assert error.where == str(whole.root / label)


def test_the_legacy_null_is_one_of_the_mast_camera_only(whole):
    _, label = whole.expected["msl", "ncam", "train"][0]
    whole.label(label, values=(0, 4))
    assert "holds the value 4" in refusal(whole, camera=("ncam",)).what


def test_sizes_that_do_not_fit_are_refused_with_the_file(whole):
    image, label = whole.expected["msl", "ncam", "train"][0]
    whole.image(image, (16, 20))
    error = refusal(whole, camera=("ncam",))
    assert (error.what, error.where) == (
        "The label has the size 16 × 16, but its image has 16 × 20.",
        str(whole.root / label),
    )
    whole.image(image)
    reject = label.replace("labels/train", "images/mxy").replace("EDR", "MXY")
    whole.image(reject, (8, 8))
    error = refusal(whole, camera=("ncam",))
    assert (error.what, error.where) == (
        "This mask has the size 8 × 8, but the label has 16 × 16.",
        str(whole.root / reject),
    )


def test_a_label_in_colours_is_refused(whole):
    _, label = whole.expected["mer", "ncam", "train"][0]
    whole.image(label, colour=True)
    assert refusal(whole, rover=("mer",)).what == "This is a colour image; a mask has one channel of class ids."


def test_the_label_values_are_those_of_the_release():
    assert KEYS["terrain"].ids == {0: 1, 1: 2, 2: 3, 3: 4}
    assert set(KEYS["geology"].ids) == {*range(7), *range(10, 18), 20, 21, 22, 30, 40, 50}
    assert len(KEYS["geology"].class_names) == len(KEYS["geology"].ids) + 1
