"""How the logits or probabilities of a run become classes: by the largest value, with or without offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

# The smallest probability whose logarithm is taken.
_SMALLEST: Final = 1e-30


@dataclass(frozen=True)
class Decoding:
    """Add an offset for each class to the logits before the class with the largest value is chosen.

    An offset o multiplies the probability of its class by exp(o), up to a factor that all classes share. This is the
    post-hoc logit adjustment of Menon and others, *Long-tail learning via logit adjustment* (arXiv 2007.07314).

    Attributes:
        offsets: (K,) the offset of each class; empty for the plain argmax
    """

    offsets: tuple[float, ...] = ()

    def of_logits(self, logits: np.ndarray) -> np.ndarray:
        """Return logits (…, K) with the offsets added; the same array if there are none."""
        return logits + np.asarray(self.offsets, np.float32) if any(self.offsets) else logits

    def of_probabilities(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities (…, K) times the factors of the classes; the same array if there are no offsets."""
        return probabilities * np.exp(np.asarray(self.offsets, np.float32)) if any(self.offsets) else probabilities

    def describe(self, class_names: Sequence[str]) -> str:
        """Return the offsets that are not 0 in words, such as "offsets big_rock +1.2"; "argmax" if there are none."""
        named = [f"{name} {o:+.3g}" for name, o in zip(class_names, self.offsets, strict=False) if o]
        return f"offsets {', '.join(named)}" if named else "argmax"


ARGMAX: Final = Decoding()
"""Choose the class with the largest logit."""


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities, which are logits; that of 0 is finite too."""
    logarithms: np.ndarray = np.log(np.maximum(probabilities, _SMALLEST))
    return logarithms


def mean_decoding(decodings: Sequence[Decoding]) -> Decoding:
    """Return the decoding of an ensemble: the mean of the offsets of its runs, where the plain argmax counts as 0."""
    if len(decodings) == 1 or not any(decoding.offsets for decoding in decodings):
        return decodings[0]
    size = max(len(decoding.offsets) for decoding in decodings)
    means = np.mean([decoding.offsets or (0.0,) * size for decoding in decodings], axis=0)
    return Decoding(tuple(means.tolist()))
