"""Descriptions of networks, to build architectures by hand, and predictions by networks."""

from __future__ import annotations

from typing import Any

from marsseg_core.components.interfaces import Architecture, NetworkSpec
from marsseg_core.testing.architectures import SmallEncoder


def spec_for(component: Architecture, *sizes: Any, **others: Any) -> NetworkSpec:
    """Return a spec for an architecture, with a small encoder if it needs one."""
    return NetworkSpec(*sizes, **others, encoder=SmallEncoder() if component.needs_encoder else None)


def predicted(networks, images, **options):
    """Return the probabilities (H, W, K) of each image by `Predictor`."""
    from marsseg_core.networks.predictor import Predictor

    return list(Predictor(networks, **options).probabilities(images))
