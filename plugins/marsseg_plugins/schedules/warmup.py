"""What schedules with a warm-up say of its length, before Keras is there."""

from __future__ import annotations


def check_warmup(warmup: float, epochs: int) -> None:
    """Raise ValueError where a warm-up of so many epochs leaves nothing of a training of `epochs`."""
    if warmup >= epochs:
        raise ValueError(
            f"a warm-up of {warmup:g} epochs leaves nothing of a training of {epochs}; train longer, or give a shorter "
            "warmup (in epochs; 0.5 is half of one)"
        )
