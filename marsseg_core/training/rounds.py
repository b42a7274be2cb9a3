"""Let a semi-supervised method label its images again, at the start of each round of a training."""

from __future__ import annotations

from typing import Any

import keras

from ..messages import get_logger
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..registry import kinds
from ..runs.run import Run
from .distribution import Devices
from .feed import BatchFeed
from .labelling import any_label, label_images, store_labels

_logger = get_logger(__name__)


class Rounds(keras.callbacks.Callback):
    """Make the labels of the images without labels again at the start of each round after the first.

    The network labels as it is then, with its averaged weights if it has any. The labels are stored before the first
    step of the round. So a run that was killed inside a round reads its labels, and one that was killed before the
    first checkpoint of a round makes them again, with the same network.
    """

    def __init__(self, run: Run, batches: BatchFeed, devices: Devices) -> None:
        super().__init__()
        self._devices = devices
        self._run = run
        self._batches = batches
        self._count = number_of_rounds(run.plan)
        self._length = _epochs_per_round(run.plan)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Make the labels if a round begins with this epoch, and use them from now on."""
        if epoch == 0 or epoch % self._length:
            return
        run, number = self._run, 1 + epoch // self._length
        _logger.info(
            f"Round {number} of {self._count}: images without labels are labelled by the network after epoch {epoch}."
        )
        with self._devices.alone(self.model), self.model.averaged():
            labels = label_images(run.plan, run.data, run.split, run.unlabelled, self.model.scored, number)
        if labels is None:
            return
        if self._devices.leads:
            store_labels(run.folder, labels)
        self._batches.relabel(labels)
        self.model.use_views(any_label(labels))


def number_of_rounds(plan: Plan) -> int:
    """Return into how many rounds the plan's method divides the epochs; 1 without a method."""
    for resolved in plan.resolved[kinds.METHOD]:
        count: int = call_component(resolved, lambda resolved=resolved: resolved.component.labelling_rounds)
        return count
    return 1


def start_of_last_round(plan: Plan) -> int:
    """Return the epoch, counted from 0, with which the last round begins; 0 without rounds."""
    return (number_of_rounds(plan) - 1) * _epochs_per_round(plan)


def _epochs_per_round(plan: Plan) -> int:
    return plan.training.epochs // number_of_rounds(plan)
