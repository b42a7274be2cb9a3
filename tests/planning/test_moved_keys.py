"""Plan files with old keys keep their meaning."""

from __future__ import annotations

import pytest

from marsseg_core.planning.moved_keys import with_current_keys


def test_the_optimizer_moves_out_of_the_section_training():
    found = with_current_keys({"training": {"optimizer": "sgd:momentum=0.9", "epochs": 3}})
    assert found == {"training": {"epochs": 3}, "optimizer": "sgd:momentum=0.9"}


@pytest.mark.parametrize(
    ("before", "now"), [("as_is", "none"), ("resize", "whole"), ("tiles", "tiles")], ids=["none", "whole", "tiles"]
)
def test_the_parameter_fit_of_data_sets_is_now_resize(before, now):
    table = {"name": "folder", "distribution": "marsseg", "path": "photos", "fit": before}
    expected = {"name": "folder", "distribution": "marsseg", "path": "photos", "resize": now}
    assert with_current_keys({"data": table}) == {"data": expected}
    assert with_current_keys({"data": [table]}) == {"data": [expected]}


def test_parameters_in_composition_texts_are_renamed_too():
    found = with_current_keys({"data": "marsseg/folder:path=photos:fit=tiles:height=8:width=8"})
    assert found["data"] == [
        {"name": "marsseg/folder", "path": "photos", "resize": "tiles", "height": "8", "width": "8"}
    ]
    assert with_current_keys({"data": "synthetic:count=9"}) == {"data": "synthetic:count=9"}


@pytest.mark.parametrize("ignored", ["auto", "none", [0, 2]], ids=repr)
def test_the_parameter_ignored_is_now_ignore_classes(ignored):
    table = {"name": "npz", "path": "tiles.npz", "ignored": ignored}
    assert with_current_keys({"data": table})["data"]["ignore_classes"] == ignored


def test_parameters_of_other_distributions_are_not_renamed():
    table = {"name": "folder", "distribution": "acme", "fit": "as_is", "ignored": [1]}
    assert with_current_keys({"data": table}) == {"data": table}


def test_a_plan_with_both_the_old_and_the_new_name_keeps_both():
    table = {"name": "folder", "fit": "tiles", "resize": "none"}
    assert with_current_keys({"data": table}) == {"data": table}
