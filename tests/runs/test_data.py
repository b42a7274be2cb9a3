"""What a data set component returns is checked wherever its data are read, and an error names the component."""

from __future__ import annotations

import io

import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core.cli.preview import draw_preview
from marsseg_core.data.limits import PIXEL_LIMIT
from marsseg_core.errors import PluginError
from marsseg_core.inference.image_sources import find_source
from marsseg_core.registry.session import open_session
from marsseg_core.runs.data import load_unlabelled
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.datasets.synthetic import Synthetic

SMALL = "synthetic:count=3:height=8:width=8"


def fail(*arguments):
    raise KeyError("no such thing")


READERS = pytest.mark.parametrize(
    "read",
    [
        lambda: marsseg.dataset(SMALL),
        lambda: draw_preview("hflip", SMALL, open_session(), io.BytesIO()),
    ],
    ids=["dataset", "preview"],
)


@READERS
def test_a_data_set_that_fails_is_named(monkeypatch, read):
    monkeypatch.setattr(Synthetic, "load", fail)
    with pytest.raises(PluginError, match=r"data set 'synthetic' of marsseg .* failed: KeyError"):
        read()


@READERS
def test_a_data_set_that_loads_something_else_is_named(monkeypatch, read):
    monkeypatch.setattr(Synthetic, "load", lambda self: None)
    with pytest.raises(PluginError, match=r"data set 'synthetic' of marsseg .* loads a NoneType"):
        read()


@pytest.mark.parametrize("method", ["prepare", "apply"])
def test_an_augmentation_that_fails_in_a_preview_is_named(monkeypatch, method):
    monkeypatch.setattr(HFlip, method, fail)
    with pytest.raises(PluginError, match=r"augmentation 'hflip' of marsseg .* failed: KeyError"):
        draw_preview("hflip:p=1", SMALL, open_session(), io.BytesIO())


@pytest.mark.parametrize(
    ("images", "what"),
    [
        ([np.zeros((8, 8, 1), np.uint8)], "of the type list, not"),
        (np.zeros((2, 8, 8, 1)), r"of float64 of shape \(2, 8, 8, 1\), not"),
        (np.zeros((2, 8, 8), np.uint8), r"of uint8 of shape \(2, 8, 8\), not"),
    ],
)
def test_images_without_labels_of_another_form_are_refused(monkeypatch, images, what):
    monkeypatch.setattr(Synthetic, "unlabelled", lambda self: images)
    with pytest.raises(PluginError, match=f"data set 'synthetic' of marsseg .* has images without labels {what}"):
        load_unlabelled(marsseg.plan(data=SMALL))


def test_no_images_without_labels_are_none(monkeypatch):
    monkeypatch.setattr(Synthetic, "unlabelled", lambda self: np.zeros((0, 8, 8, 1), np.uint8))
    assert load_unlabelled(marsseg.plan(data=SMALL)) is None
    source = find_source(SMALL, open_session(), [], subset=None, pixel_limit=PIXEL_LIMIT)
    assert len(source) == 3  # those with labels are predicted
