"""Plans that were written under other names mean what they meant."""

from __future__ import annotations

import pytest

from marsseg_core.planning.moved_keys import with_current_keys


def test_the_optimizer_is_no_setting_of_the_training_any_more():
    found = with_current_keys({"training": {"optimizer": "sgd:momentum=0.9", "epochs": 3}})
    assert found == {"training": {"epochs": 3}, "optimizer": "sgd:momentum=0.9"}


@pytest.mark.parametrize(
    ("before", "now"), [("as_is", "none"), ("resize", "whole"), ("tiles", "tiles")], ids=["none", "whole", "tiles"]
)
def test_a_data_sets_fit_is_its_resize(before, now):
    table = {"name": "folder", "distribution": "marsseg", "path": "photos", "fit": before}
    expected = {"name": "folder", "distribution": "marsseg", "path": "photos", "resize": now}
    assert with_current_keys({"data": table}) == {"data": expected}
    assert with_current_keys({"data": [table]}) == {"data": [expected]}


def test_a_composition_text_is_read_as_well():
    found = with_current_keys({"data": "marsseg/folder:path=photos:fit=tiles:height=8:width=8"})
    assert found["data"] == [
        {"name": "marsseg/folder", "path": "photos", "resize": "tiles", "height": "8", "width": "8"}
    ]
    assert with_current_keys({"data": "synthetic:count=9"}) == {"data": "synthetic:count=9"}


@pytest.mark.parametrize("ignored", ["auto", "none", [0, 2]], ids=repr)
def test_ignored_classes_are_called_ignore_classes(ignored):
    table = {"name": "npz", "path": "tiles.npz", "ignored": ignored}
    assert with_current_keys({"data": table})["data"]["ignore_classes"] == ignored


def test_a_third_partys_parameter_of_the_same_name_is_its_own():
    table = {"name": "folder", "distribution": "acme", "fit": "as_is", "ignored": [1]}
    assert with_current_keys({"data": table}) == {"data": table}


def test_a_plan_with_the_old_name_on_the_new_one_keeps_both_to_be_refused():
    table = {"name": "folder", "fit": "tiles", "resize": "none"}
    assert with_current_keys({"data": table}) == {"data": table}
