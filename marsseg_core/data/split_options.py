"""Define the options for splitting data. This module does not import NumPy, so that commands start fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..registry.parameters import param

GIVEN: Final = "given"
"""Take the subsets that the data come with; draw them if there are none."""

DRAWN: Final = "drawn"
"""Draw the subsets by their shares."""

MOST_RUNS: Final = 1_000
"""Limit the runs of a series, and with it the number of folds."""


@dataclass(frozen=True)
class SplitOptions:
    """Hold the options for splitting data. The test subset is scored once, at the end, and never used for a choice."""

    validation: float = param(
        0.15, help="share of the images with which the best epoch is chosen", above=0, maximum=0.9
    )
    test: float = param(0.15, help="share of the images for the final score", above=0, maximum=0.9)
    seed: int = param(
        0, help="seed of the split; separate from the training's seed, so that runs can be compared", minimum=0
    )
    folds: int | None = param(
        None,
        help="divide the images into this many folds, each of which is a test subset, instead of `test`",
        minimum=2,
        maximum=MOST_RUNS,
    )
    fold: int | None = param(
        None, help="number of the fold that is the test subset, from 1", minimum=1, maximum=MOST_RUNS
    )
    subsets: str = param(
        GIVEN,
        help="where the subsets come from: given (those that the data come with, or else drawn), drawn (by shares), a "
        "file (CSV with the columns item and subset or fold, or the split.json of a run), or a list of items for each "
        "subset: train=FILE,validation=FILE,test=FILE",
        absent=DRAWN,
    )
    subsets_hash: str | None = param(
        None, help="hash that the files of `subsets` must have; recorded automatically", absent=None
    )
    labelled: float = param(
        1.0,
        help="share of the training images that are used; the others are in no subset, as if they had no labels",
        above=0,
        maximum=1,
    )

    def __post_init__(self) -> None:
        if (self.folds is None) != (self.fold is None):
            raise ValueError("folds and fold must be set together")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise ValueError(f"there is no fold {self.fold} among {self.folds}")
        if self.validation + (self.test if self.folds is None else 1 / self.folds) >= 1:
            raise ValueError("validation and test leave no images for training")
        if not self.subsets:
            raise ValueError("subsets must be given, drawn or a file")
        if self.subsets_hash is not None and not self.from_file:
            raise ValueError("subsets_hash needs a file in subsets")

    @property
    def from_file(self) -> bool:
        """Return whether `subsets` is a file."""
        return self.subsets not in (GIVEN, DRAWN)
