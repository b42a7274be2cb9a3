"""The contracts of marsseg for the four components, and their own tests."""

import numpy as np
import pytest
from marsseg_core.plugin_api import LossSpec, NetworkSpec
from marsseg_core.testing import ArchitectureContract, AugmentationContract, BottleneckContract, LossContract

from marsseg_dunes.context import Context
from marsseg_dunes.dilated import Dilated
from marsseg_dunes.poly import Poly
from marsseg_dunes.shade import Shade


class TestDilated(ArchitectureContract):
    component = Dilated(width=0.125, dilations=(1, 2))
    name = "dilated"


class TestDilatedWithContext(ArchitectureContract):
    component = Dilated(width=0.25, dilations=(1,))
    bottlenecks = (Context(ratio=1),)


class TestContext(BottleneckContract):
    component = Context(ratio=1)
    name = "context"


class TestPoly(LossContract):
    component = Poly()
    name = "poly"


class TestShade(AugmentationContract):
    component = Shade(strength=1)
    name = "shade"
    leaves_masks = True
    nothing = Shade(strength=0)


def test_dilated_convolutions_keep_the_number_of_weights():
    near, far = (Dilated(dilations=(d, d)).build(NetworkSpec(16, 16, 1, 3)).count_params() for d in (1, 7))
    assert near == far


@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_the_value_of_poly_follows_the_formula(epsilon):
    """The batch has one pixel of the first class, with p = 3/4, and one void pixel."""
    logits = np.log([[[[3.0, 1.0], [1.0, 9.0]]]]).astype("float32")
    loss = Poly(epsilon).build(LossSpec(2, (), (1, 1)))
    assert float(loss(np.array([[[0, 255]]]), logits)) == pytest.approx(-np.log(0.75) + epsilon / 4, rel=1e-5)


def test_shade_changes_evenly_from_one_corner_to_another():
    images, _ = Shade(strength=1).apply(
        np.ones((1, 5, 7, 1), "float32"), np.zeros((1, 5, 7), "uint8"), [np.random.default_rng(3)]
    )
    shade = images[0, ..., 0]
    assert shade.max() == 1
    for axis in (0, 1):
        steps = np.diff(shade, axis=axis)
        np.testing.assert_allclose(steps, np.broadcast_to(steps[:1, :1], steps.shape), atol=1e-5)
