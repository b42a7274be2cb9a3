"""The results of the rows: read from the folders of their runs, with intervals over the places of the test subset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from marsseg_core.evaluation.resampling import Counts, draw_samples
from marsseg_core.files.run_folder import RunFolder

from .rows import Row

RESAMPLES: Final = 1000


@dataclass(frozen=True)
class Member:
    """One finished run of a row: its scores, its costs, and a confusion matrix for each place of the test subset."""

    epochs: int
    seconds: float
    validation: float
    measured: dict[str, Any]

    @property
    def matrices(self) -> np.ndarray:
        """Return the confusion matrices (places, C, C)."""
        return np.array(self.measured["matrices"], np.int64)


@dataclass(frozen=True)
class Result:
    """The runs of a row within one budget. Scores are means over them, each with the same number of epochs."""

    row: Row
    members: tuple[Member, ...]

    @property
    def miou(self) -> float:
        """Return the mean IoU of the test subset."""
        return float(np.mean([counts_of(member.matrices).of_all().mean_ious() for member in self.members]))

    @property
    def validation(self) -> float:
        """Return the mean IoU of the validation subset in the first run, by which finalists are chosen."""
        return self.members[0].validation

    @property
    def mean_validation(self) -> float:
        """Return the mean over the runs of the mean IoU of the validation subset."""
        return float(np.mean([member.validation for member in self.members]))

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of `miou` over bootstrap samples of the places, the same for all runs."""
        samples = np.concatenate([*draw_samples(len(self.members[0].matrices), RESAMPLES, seed=0)])
        values = [counts_of(member.matrices).of_samples(samples).mean_ious() for member in self.members]
        low, high = np.quantile(np.mean(values, axis=0), [0.025, 0.975])
        return float(low), float(high)

    @property
    def ious(self) -> dict[str, float]:
        """Return the IoU of each class; 0 for a class that occurs neither in the truth nor in the prediction."""
        values = [counts_of(member.matrices).of_all().ious() for member in self.members]
        return dict(zip(self.measured["classes"], np.mean(values, axis=0).tolist(), strict=True))

    @property
    def measured(self) -> dict[str, Any]:
        """Return the measurements of the first run: size, time per image, date, machine."""
        return self.members[0].measured

    @property
    def epochs(self) -> int:
        """Return the number of epochs of each run."""
        return self.members[0].epochs

    @property
    def minutes(self) -> float:
        """Return the least processor minutes of a training on the first run's machine, as other work only adds."""
        own = [member.seconds for member in self.members if member.measured["machine"] == self.measured["machine"]]
        return min(own) / 60


def counts_of(matrices: np.ndarray) -> Counts:
    """Return the pixels of each class of confusion matrices (…, C, C)."""
    return Counts(np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(axis=-2), matrices.sum(axis=-1))


def read_member(out: Path, seconds: Sequence[float], answer: Path) -> Member | None:
    """Read a run that is finished and measured; None for any other."""
    folder = RunFolder(out)
    if not (answer.is_file() and seconds and folder.finished):
        return None
    metrics = folder.read_metrics()
    validation = metrics["subsets"]["validation"]["miou"] or 0.0
    return Member(metrics["epochs"], seconds[-1], validation, json.loads(answer.read_text()))
