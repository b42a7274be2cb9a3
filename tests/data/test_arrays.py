"""Test which arguments SegmentationData accepts, converts and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.errors import RequestError

IMAGES, MASKS = np.zeros((3, 4, 6, 1), np.uint8), np.ones((3, 4, 6), np.uint8)
NAMES = ("background", "soil", "rock")


def data(masks=MASKS, names=NAMES, ignore_classes=(), source="craters", groups=None):
    return SegmentationData(IMAGES, masks, names, ignore_classes, groups, source)


@pytest.mark.parametrize("names", [[*NAMES], np.array(NAMES), dict.fromkeys(NAMES)], ids=["list", "array", "keys"])
def test_class_names_become_a_tuple_of_strings(names):
    found = data(names=names).class_names
    assert found == NAMES
    assert [type(name) for name in (found, *found)] == [tuple, str, str, str]


@pytest.mark.parametrize("ignore_classes", [[0, 2], np.array([0, 2]), np.array([0, 2], np.uint8), range(0, 3, 2)])
def test_ignored_classes_become_a_tuple_of_integers(ignore_classes):
    found = data(ignore_classes=ignore_classes)
    assert found.ignore_classes == (0, 2)
    assert [type(value) for value in (found.ignore_classes, *found.ignore_classes)] == [tuple, int, int]
    assert found.labelled_classes == (1,)


def test_the_attributes_that_a_run_stores_can_be_written_as_json():
    found = data(names=np.array(NAMES), ignore_classes=np.array([0]), source=Path("craters"))
    assert json.loads(json.dumps([found.class_names, found.ignore_classes, found.source])) == [[*NAMES], [0], "craters"]


@pytest.mark.parametrize("names", ["abc", 3, None, {"a"}, ("a", 1), [b"a", b"b"], [["a"], ["b"]]], ids=repr)
def test_class_names_that_are_no_list_of_strings_are_refused(names):
    with pytest.raises(RequestError) as caught:
        data(names=names)
    assert caught.value.what == f"Class names must be a list of strings, such as ('ground', 'rock'), not {names!r}."
    assert caught.value.where == "craters"


@pytest.mark.parametrize(
    "ignore_classes",
    [0, None, "0", ("background",), (0.0,), (True, False, False), np.array([True, False, False])],
    ids=repr,
)
def test_ignored_classes_that_are_no_class_ids_are_refused(ignore_classes):
    with pytest.raises(RequestError) as caught:
        data(ignore_classes=ignore_classes)
    assert caught.value.what == f"Ignored classes must be ids of classes, such as (0,), not {ignore_classes!r}."


@pytest.mark.parametrize("ignore_classes", [(3,), (-1,)])
def test_an_ignored_class_that_does_not_exist_is_refused(ignore_classes):
    with pytest.raises(
        RequestError, match=rf"There is no class {ignore_classes[0]} to ignore; the classes are 0 to 2\."
    ):
        data(ignore_classes=ignore_classes)


def test_of_many_classes_a_message_names_the_first():
    with pytest.raises(RequestError, match=r"the classes are 0 to 19 \(0, 1, 2, 3, 4, 5, 6, 7 and 12 more\)"):
        data(masks=np.full_like(MASKS, 20), names=[str(number) for number in range(20)])
    with pytest.raises(RequestError, match=r"There are 256 classes; at most 255 are possible\."):
        data(names=[str(number) for number in range(256)])
    with pytest.raises(RequestError, match=r"Two classes have the name \."):
        data(names=["", "rock", ""])


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool", "int8"])
def test_masks_of_another_dtype_are_refused(dtype):
    with pytest.raises(RequestError) as caught:
        data(masks=MASKS.astype(dtype))
    assert caught.value.what == f"Masks must be (N, H, W) uint8, not (3, 4, 6) {dtype}."


def test_masks_of_another_shape_are_refused():
    with pytest.raises(RequestError, match=r"Masks must be \(N, H, W\) uint8, not \(3, 4, 6, 1\) uint8\."):
        data(masks=MASKS[..., None])
    with pytest.raises(RequestError, match=r"Masks of \(3, 6, 4\) do not fit images of \(3, 4, 6, 1\)\."):
        data(masks=MASKS.reshape(3, 6, 4))


def test_groups_can_be_a_list_with_an_integer_for_each_image():
    np.testing.assert_array_equal(data(groups=[7, 7, 9]).groups, [7, 7, 9])
    for groups in ([1, 2], [[1, 2, 3]], ["a", "b", "c"], [1.5, 2, 3]):
        with pytest.raises(RequestError, match="Groups must be a whole number for each of 3 images"):
            data(groups=groups)
