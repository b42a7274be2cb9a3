"""Check the length of a warm-up, without Keras."""

from __future__ import annotations


def check_warmup(warmup: float, epochs: int) -> None:
    """Raise ValueError where a warm-up of `warmup` epochs fills the whole training of `epochs`."""
    if warmup >= epochs:
        raise ValueError(
            f"a warm-up of {warmup:g} epochs is too long for {epochs} epochs of training; train longer, or set a "
            "shorter warmup (in epochs; 0.5 is half an epoch)"
        )
