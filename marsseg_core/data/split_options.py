"""How a plan may split its data. Known without NumPy."""

from __future__ import annotations

from dataclasses import dataclass

from ..registry.parameters import param


@dataclass(frozen=True)
class SplitOptions:
    """How the data is split. The test subset is scored once, at the end, and chooses nothing."""

    validation: float = param(0.15, help="share of the images that choose the best epoch", above=0, maximum=0.9)
    test: float = param(0.15, help="share of the images that give the final score", above=0, maximum=0.9)
    seed: int = param(0, help="draws the split; apart from the training's seed, so that runs compare", minimum=0)
    folds: int | None = param(
        None, help="divide the images into this many folds, each a test subset, in the place of `test`", minimum=2
    )
    fold: int | None = param(None, help="which of the folds is the test subset, from 1", minimum=1)

    def __post_init__(self) -> None:
        if (self.folds is None) != (self.fold is None):
            raise ValueError("folds and fold are given together")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise ValueError(f"there is no fold {self.fold} among {self.folds}")
        if self.validation + (self.test if self.folds is None else 1 / self.folds) >= 1:
            raise ValueError("validation and test leave nothing to train on")
