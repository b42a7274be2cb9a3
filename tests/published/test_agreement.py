"""Components that claim a paper give what its authors' code gives for the same weights (`README.md` says how)."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
from agreement import UNPUBLISHED, cases
from filling import weighted_layers

from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed

CASES = cases()
# What is built with millions of weights.
SLOW = {"resunet", "resunetpp", "unet", "unet3plus", "unetpp"}


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=str(c), marks=[pytest.mark.slow] if c.component in SLOW else []) for c in CASES]
)
def test_equal_weights_give_the_authors_outputs(case):
    # A constant would agree with many things.
    assert case.recorded.std((1, 2)).max() > 0.05 * np.abs(case.recorded).max()
    network = case.make()
    assert case.difference(network) <= case.tolerance
    for first, second in alike(network):
        exchange(first, second)
        assert case.difference(network) > 100 * case.tolerance, f"{first.path} and {second.path} may be exchanged"
        exchange(first, second)


def alike(network):
    """The first and the last two neighbouring kernels of one shape: a wrong wiring might take one for the other."""
    kernels = [weight for layer in weighted_layers(network) for weight in layer.weights if len(weight.shape) > 1]
    pairs = [(first, second) for first, second in pairwise(kernels) if first.shape == second.shape]
    return pairs[:1] + pairs[-1:]


def exchange(first, second):
    number = keras.ops.convert_to_numpy(first)
    first.assign(keras.ops.convert_to_numpy(second))
    second.assign(number)


def test_every_architecture_and_bottleneck_has_a_case_or_no_public_code():
    entries = [entry for kind in (kinds.ARCHITECTURE, kinds.BOTTLENECK) for entry in installed().of_kind(kind)]
    names = {entry.name for entry in entries if entry.distribution == "marsseg"}
    compared = {case.component for case in CASES}
    assert compared | set(UNPUBLISHED) == names
    assert not compared & set(UNPUBLISHED)
