"""Run the contract of losses on every loss, with several parameters."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg_core.testing import LossContract
from marsseg_plugins.losses.boundary import Boundary
from marsseg_plugins.losses.dice import Dice
from marsseg_plugins.losses.focal import Focal
from marsseg_plugins.losses.focal_tversky import FocalTversky
from marsseg_plugins.losses.gce import GCE
from marsseg_plugins.losses.gdice import GDice
from marsseg_plugins.losses.lovasz import Lovasz
from marsseg_plugins.losses.sce import SCE
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.losses.tversky import Tversky
from marsseg_plugins.losses.wssce import WSSCE

WEIGHTS = (9.0, 0.5, 1.0, 2.0, 4.0)


class TestSSCE(LossContract):
    component = SSCE()


class TestWSSCE(LossContract):
    component = WSSCE()


class TestWSSCEOverAllPixels(LossContract):
    component = WSSCE(count="all", normalise="pixels")


class TestWSSCEOfInverseFrequencies(LossContract):
    component = WSSCE(weights="inverse", cap=None)


class TestWSSCEOfEffectiveNumbers(LossContract):
    component = WSSCE(weights="effective")


class TestWSSCEOfListedWeights(LossContract):
    component = WSSCE(weights=WEIGHTS)


class TestSmoothedWSSCE(LossContract):
    component = WSSCE(smoothing=0.2, normalise="pixels")
    zero_at_perfection = False  # a smoothed label allows no perfect prediction


class TestSCE(LossContract):
    component = SCE(alpha=1.0, weights="balanced")
    test_it_is_the_same_on_the_other_backend = None  # it computes with the functions of `focal`


class TestGCE(LossContract):
    component = GCE()
    test_it_is_the_same_on_the_other_backend = None


class TestFocal(LossContract):
    component = Focal()


class TestFocalBelowOne(LossContract):
    component = Focal(gamma=0.5, weights="balanced")


class TestDice(LossContract):
    component = Dice()


class TestSmoothDice(LossContract):
    component = Dice(smooth=1.0, weights=WEIGHTS)


class TestGDice(LossContract):
    component = GDice()


class TestMilderGDice(LossContract):
    component = GDice(power=1.0)


class TestTversky(LossContract):
    component = Tversky()


class TestSmoothTversky(LossContract):
    component = Tversky(weights=WEIGHTS, smooth=0.5)


class TestFocalTversky(LossContract):
    component = FocalTversky()


class TestFocalTverskyBelowOne(LossContract):
    component = FocalTversky(gamma=0.5, weights="inverse")


class TestLovasz(LossContract):
    component = Lovasz()


class TestLovaszOfListedWeights(LossContract):
    component = Lovasz(weights=WEIGHTS)


class TestBoundary(LossContract):
    component = Boundary()
    reaches_every_pixel = False  # φ is 0 along the inner side of a boundary


class TestSignedBoundary(LossContract):
    component = Boundary(form="signed")
    reaches_every_pixel = False
    zero_at_perfection = False  # it is negative there


CONTRACTS = LossContract.__subclasses__()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_infinite_logits_at_ignored_pixels_have_no_effect(contract):
    """The contract does not require this: a network with infinite logits ends a run."""
    case = contract()
    labels, logits = case.sample()
    strange = np.where(case.counted(labels)[..., None], logits, np.float32(np.inf))
    for actual, expected in zip(case.measure(labels, strange), case.measure(labels, logits), strict=True):
        np.testing.assert_array_equal(actual, expected)
