"""Compile a network: one graph function for each shape of its input, kept with the network for its life.

Keras' `predict` starts an input pipeline and callbacks for each call, which costs many times the work for one image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import keras
import numpy as np

from .fast import fast_network
from .keras_backend.functions import compile_call
from .keras_backend.settings import fixed_settings
from .local import resized

_ATTRIBUTE: Final = "_marsseg_compiled"


class CompiledNetwork:
    """Call a network on batches of images (B, h, w, C) float32. Each new shape of a batch is compiled first.

    Images that are not of the network's own size are computed by a copy of its wiring for their size, with the same
    variables. The network must allow this (`local.locality`).
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._functions: dict[tuple[int, ...], Callable[[np.ndarray], np.ndarray]] = {}
        self._finite = True

    def check_weights(self) -> None:
        """Look whether all weights are finite. If not, all logits are NaN from now on.

        The logits alone do not show it: a ReLU that the backend joins with the convolution before it makes 0 of NaN.
        """
        weights = map(keras.ops.convert_to_numpy, self._network.weights)
        self._finite = all(np.isfinite(weight).all() for weight in weights)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the logits (B, h, w, K) float32."""
        with fixed_settings():
            if images.shape not in self._functions:
                self._functions[images.shape] = compile_call(self._network_for(*images.shape[1:3]), images.shape)
            logits = self._functions[images.shape](images)
        return logits if self._finite else np.full_like(logits, np.nan)

    def _network_for(self, height: int, width: int) -> keras.Model:
        """Return the model that is compiled for images of this size. All predictions get their model here."""
        own = all(
            length in (None, n) for length, n in zip(self._network.input_shape[1:3], (height, width), strict=True)
        )
        return fast_network(self._network if own else resized(self._network, height, width))


class ForeignNetwork:
    """Call a network by a function of another runtime, with a copy of its weights."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self._function = function

    def check_weights(self) -> None:
        """Do nothing: the weights were finite when the network was loaded, and the copy does not change."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the logits (B, h, w, K) float32."""
        return self._function(images)


def compute_by(network: keras.Model, function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Let a function compute the logits of a network from now on, wherever `compiled` is used.

    The function takes any number of images (B, h, w, C) float32 in [0, 1], of any size if the network is local.
    """
    object.__setattr__(network, _ATTRIBUTE, ForeignNetwork(function))


def compiled(network: keras.Model) -> CompiledNetwork | ForeignNetwork:
    """Return an object whose `logits(images)` calls the network on a batch by a compiled function.

    It is always the same object for the same network, so that each shape of a batch is compiled once. Call this again
    when the weights have changed.
    """
    existing: CompiledNetwork | ForeignNetwork | None = getattr(network, _ATTRIBUTE, None)
    if existing is None:
        existing = CompiledNetwork(network)
        # Not a weak dictionary: the functions refer to the network, which would then never be freed. Past Keras'
        # `__setattr__`, because the functions are no part of what Keras saves.
        object.__setattr__(network, _ATTRIBUTE, existing)
    existing.check_weights()
    return existing
