"""The object `Run` that observers and notebooks receive."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conventions import HEADLINE
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..data.split_options import SplitOptions
from ..data.split_source import SplitSource
from ..data.subsets import SUBSETS
from ..evaluation.confusion import Confusion
from ..evaluation.decoding import ARGMAX, Decoding
from ..files.run_folder import INTERRUPTED, RunFolder
from ..planning.options import LAST
from ..planning.plan import Plan
from ..shown import HtmlRepr
from .transductive import transductive_sentence

if TYPE_CHECKING:
    import keras

    from ..networks.transfer import Transfer
    from .unlabelled import Unlabelled


@dataclass(repr=False)
class Run(HtmlRepr):
    """Hold a run: its plan, data, network, history and scores.

    Attributes:
        plan: the plan of the run
        folder: the run folder
        data: the data that the network is trained and scored on
        split: the items of the train, validation and test subsets
        network: the network that is trained; after the end of the run, the best network
        steps_per_epoch: the number of batches in each epoch
        transfer: which initial weights were taken from another run; None if the plan has no `init`
        history: one record for each epoch: the values of the columns by name
        scores: the confusion matrix of each subset that was scored
        metrics: the content of metrics.json; empty before the end of the run
        decoding: how the logits of the best network become classes, in `scores` and wherever the run predicts
        best_epoch: the epoch of the stored network, counted from 1: the best one, or with `training.keep=last` the last
            one; None before the end of the first epoch
        best_by: the column of the history that selects the best network
        unlabelled: the images without labels during a training with a semi-supervised method; else None
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
    decoding: Decoding = ARGMAX
    best_epoch: int | None = None
    best_by: str = f"val_{HEADLINE}"
    unlabelled: Unlabelled | None = None

    @property
    def path(self) -> Path:
        """Return the path of the run folder."""
        return self.folder.path

    @property
    def summary(self) -> str:
        """Return the name, the status and the number of epochs in one line."""
        status = self.metrics.get("status", "not ended")
        chosen = self.best_epoch is not None and self.plan.training.keep != LAST
        best = f", best epoch {self.best_epoch}" if chosen else ""
        return f"{self.plan.name}, {status}, {len(self.history)} of {self.plan.training.epochs} epochs{best}"

    @property
    def split_summary(self) -> str:
        """Return the number of images in each subset, and where the subsets come from, in one line."""
        counts = " / ".join(f"{len(self.split[subset]):,}" for subset in SUBSETS)
        return f"{counts} images ({' / '.join(SUBSETS)}), {_split_origin(self.plan.split, self.split)}"

    @property
    def note(self) -> str:
        """Return what must be said with the scores: that the run is transductive. Empty if it is not."""
        return transductive_sentence("this run" if self.metrics.get("transductive") else "")

    def __repr__(self) -> str:
        lines = [f"  {subset}: {confusion.summary}" for subset, confusion in self.scores.items()]
        return "\n".join([f"Run({str(self.path)!r}: {self.summary})", *lines, *([self.note] if self.note else [])])

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def interrupted(self) -> bool:
        """Return whether the run was interrupted, as with Ctrl-C."""
        return self.metrics.get("status") == INTERRUPTED


def _split_origin(options: SplitOptions, split: Split) -> str:
    """Return who decided on the subsets, as words."""
    if split.origin == "file":
        return f"by {SplitSource.of(options.subsets).name}"
    if split.origin == "given":
        return "as the data come"
    return f"drawn with split.seed={options.seed}"
