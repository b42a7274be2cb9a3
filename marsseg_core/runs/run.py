"""A run as observers and notebooks see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conventions import HEADLINE
from ..data.arrays import SegmentationData
from ..data.splits import Split
from ..evaluation.confusion import Confusion
from ..files.run_folder import INTERRUPTED, RunFolder
from ..planning.plan import Plan
from ..shown import Shown

if TYPE_CHECKING:
    import keras

    from ..networks.transfer import Transfer


@dataclass(repr=False)
class Run(Shown):
    """Hold a run as observers and notebooks see it.

    Attributes:
        plan: what it is made of
        folder: what it leaves behind
        data: what it is trained and scored on
        split: which items are for training, validation and test
        network: the one that is trained, and the best one once the run has ended
        steps_per_epoch: batches in each epoch
        transfer: says which weights it started from, where the plan names another run for them
        history: one record an epoch
        scores: the confusion matrix of each subset that was scored
        metrics: what metrics.json holds; empty before the end
        best_epoch: the one whose network is kept, counted from 1; None before the first
        best_by: the column of the history by which it is kept
    """

    plan: Plan
    folder: RunFolder
    data: SegmentationData
    split: Split
    network: keras.Model
    steps_per_epoch: int
    transfer: Transfer | None = None
    history: list[dict[str, float | None]] = field(default_factory=list)
    scores: dict[str, Confusion] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    best_epoch: int | None = None
    best_by: str = f"val_{HEADLINE}"

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def summary(self) -> str:
        """How far it is, in a few words."""
        status = self.metrics.get("status", "not ended")
        best = "" if self.best_epoch is None else f", best epoch {self.best_epoch}"
        return f"{self.plan.name}, {status}, {len(self.history)} of {self.plan.training.epochs} epochs{best}"

    def __repr__(self) -> str:
        lines = [f"  {subset}: {confusion.summary}" for subset, confusion in self.scores.items()]
        return "\n".join([f"Run({str(self.path)!r}: {self.summary})", *lines])

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def interrupted(self) -> bool:
        return self.metrics.get("status") == INTERRUPTED
