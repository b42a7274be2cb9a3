"""All that a training needs, ready before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from ..components.specs import ScheduleSpec
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.splits import Split
from ..errors import PluginError, RequestError
from ..networks.build import build_network
from ..networks.keras_backend import ask_for_determinism, choose_compiler, precision, train_on_one_device
from ..networks.transfer import Transfer
from ..planning.invoke import build_component
from ..planning.metrics import PREFIX
from ..planning.plan import Plan
from ..registry import kinds
from .assembly import build_batches, build_task
from .initial_weights import take_over
from .objective import Objective, build_objective
from .objective_checks import check_objective
from .optimizers import build_optimizer
from .statistics import calibration_batches
from .task import SegmentationTask


@dataclass(frozen=True)
class TrainingSetup:
    """A compiled task, its batches, and the callbacks whose states belong to the checkpoint."""

    task: SegmentationTask
    objective: Objective
    batches: TrainingBatches
    stateful: Sequence[keras.callbacks.Callback]
    transfer: Transfer | None

    @property
    def watched(self) -> list[str]:
        """The columns of the history that the callbacks watch."""
        return [callback.monitor for callback in self.stateful if isinstance(getattr(callback, "monitor", None), str)]


@precision()
def set_up_training(
    plan: Plan, data: SegmentationData, split: Split, network: keras.Model | None = None, *, best_by: str
) -> TrainingSetup:
    """Build and compile what the plan asks for. Raises RequestError where its parts do not fit each other.

    `best_by` is the column of the history by which the best network is going to be kept.
    A `network` that is given is the one to train, whose weights a checkpoint is going to set: those of the run that
    the plan starts from are not read.
    """
    training = plan.training
    if training.deterministic:
        ask_for_determinism()
    fresh = network is None
    if network is None:
        network = build_network(plan, data.images.shape[1:], data.num_classes)
    transfer = take_over(training, network, plan.session) if fresh else None
    objective = build_objective(plan, data, split)
    task = build_task(plan, network, objective)
    check_objective(task, objective, data.images.shape[1:3])
    task.calibration = partial(calibration_batches, data, split["train"], training.batch)
    batches = build_batches(plan, data, split, objective)
    schedule = build_component(
        plan.resolved[kinds.SCHEDULE][0],
        ScheduleSpec(
            training.learning_rate, training.epochs, len(batches), plan.objective_moves, best_by, plan.metrics.rises
        ),
    )
    stateful = []
    rate: Any = training.learning_rate
    if isinstance(schedule, keras.callbacks.Callback):
        stateful.append(schedule)
    elif isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        rate = schedule
    else:
        label = plan.resolved[kinds.SCHEDULE][0].entry.label
        raise PluginError(f"The {label} builds {schedule!r}, which is neither a Keras schedule nor a callback.")
    if training.patience is not None:
        watched = plan.metrics.watched
        mode = "max" if plan.metrics.rises(watched) else "min"
        stateful.append(keras.callbacks.EarlyStopping(watched, mode=mode, patience=training.patience))
    optimizer = build_optimizer(plan, rate)
    train_on_one_device(optimizer)
    # Decay would pull a weighting's own weights to 0, which means nothing to them.
    optimizer.exclude_from_weight_decay(var_list=task.weighting.trainable_variables)
    task.compile(optimizer=optimizer)
    choose_compiler(task)  # `compile` has chosen anew
    # A step that makes variables is traced twice, which takes seconds.
    task.optimizer.build(task.trainable_variables)
    setup = TrainingSetup(task, objective, batches, stateful, transfer)
    for column in (best_by, *setup.watched):
        _check_column(column, plan, data)
    return setup


def _check_column(column: str, plan: Plan, data: SegmentationData) -> None:
    """RequestError where the history is not going to have a score that is watched; losses it checks itself."""
    table, score = plan.metrics, column.removeprefix(PREFIX)
    metric = table.of(score)
    if metric is None:
        return
    name, word = metric.entry.name, metric.component.per_class
    known = [name, *(f"{word}_{data.class_names[c]}" for c in data.labelled_classes if word)]
    if score not in known or (score == column and not plan.training.score_training):
        raise RequestError(
            f"There is no '{column}' to watch after an epoch.",
            where=f"--monitor {plan.training.monitor}" if column == table.watched else f"schedule, monitor={column}",
            hint=f"There are {', '.join(PREFIX + each for each in known)}."
            if score not in known
            else f"The training subset is scored with training.score_training=true; {PREFIX}{score} is always there.",
        )
