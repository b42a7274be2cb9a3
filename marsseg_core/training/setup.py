"""Build everything that a training needs, before any file is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from ..components.semi_specs import SemiSpec
from ..components.specs import ScheduleSpec
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..errors import PluginError, RequestError
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.build import build_network
from ..networks.keras_backend.devices import ask_for_determinism, choose_compiler
from ..networks.keras_backend.optimizers import train_on_one_device, update_in_one_pass
from ..networks.keras_backend.settings import precision
from ..networks.precision import warn_of_lost_gradients
from ..networks.transfer import Transfer
from ..planning.invoke import build_component
from ..planning.metrics import PREFIX
from ..planning.plan import Plan
from ..registry import kinds
from ..runs.pretrained import PublishedWeights, load_encoder_weights
from ..runs.unlabelled import Unlabelled
from .assembly import build_batches, build_task, crop_of, input_shape
from .feed import BatchFeed
from .finished_runs import check_runs, warn_of_known_images
from .initial_weights import copy_initial_weights
from .labelling import any_label
from .objective import Objective, build_objective
from .objective_checks import check_objective
from .optimizers import build_optimizer
from .rounds import start_of_last_round
from .semi import build_semi, build_views
from .statistics import calibration_batches
from .task import SegmentationTask

_logger = get_logger(__name__)


@dataclass(frozen=True)
class TrainingSetup:
    """A compiled task with its batches and callbacks.

    `stateful` are the callbacks whose states are part of the checkpoint. `transfer` describes the weights that were
    copied from another run, or is None.
    """

    task: SegmentationTask
    objective: Objective
    batches: BatchFeed
    stateful: Sequence[keras.callbacks.Callback]
    transfer: Transfer | None

    @property
    def watched(self) -> list[str]:
        """Return the columns of the history that the callbacks monitor."""
        return [callback.monitor for callback in self.stateful if isinstance(getattr(callback, "monitor", None), str)]


@waiting("Building the network")
@precision()
def set_up_training(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    network: keras.Model | None = None,
    *,
    best_by: str,
    unlabelled: Unlabelled | None = None,
    labels: np.ndarray | None = None,
    published: PublishedWeights | None = None,
    part: tuple[int, int] = (0, 1),
) -> TrainingSetup:
    """Build and compile the network, losses, optimizer and callbacks of a plan.

    `best_by` is the column of the history that decides which network is the best. Without a `network`, the plan's
    network is built, with the initial weights of its encoder and of `training.init`. With one, that network is trained;
    its weights are not changed here, since a checkpoint will set them. `unlabelled` has the images of a semi-supervised
    method, and `labels` those that it has made for them. `published` has weights of the encoder that were read already.
    `part` (i, n) makes the i-th of n equal parts of each batch, for processes that train together.

    Raises RequestError where components of the plan do not fit each other or the data, and PluginError where a
    component builds something wrong.
    """
    training = plan.training
    if training.deterministic:
        ask_for_determinism()
    warn_of_lost_gradients(training.precision)
    # Those of a method are checked where they label images: a resumed run does not need them.
    check_runs(plan, data, split, [kind for kind in plan.resolved if kind != kinds.METHOD])
    transfer = None
    if network is None:
        network = build_network(plan, input_shape(plan, data), data.num_classes)
        warn_of_known_images(plan, data, split)
        load_encoder_weights(plan, network, published)
        transfer = copy_initial_weights(training, network, plan.session)
    objective = build_objective(plan, data, split)
    views = None if unlabelled is None else build_views(plan, data, split, unlabelled, labels, part)
    batches = build_batches(plan, data, split, objective, views, part)
    classes = data.num_classes, objective.spec.ignore_classes
    semi = build_semi(plan, SemiSpec(*classes, training.epochs, len(batches)))
    task = build_task(plan, network, objective, semi)
    task.use_views(labels is None or any_label(labels))
    check_objective(task, objective, input_shape(plan, data))
    task.calibration = partial(calibration_batches, data, split["train"], training.batch, crop_of(plan, data))
    schedule = build_component(
        plan.resolved[kinds.SCHEDULE][0],
        ScheduleSpec(
            training.learning_rate, training.epochs, len(batches), plan.objective_changes, best_by, plan.metrics.rises
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
        raise PluginError(f"The {label} builds {schedule!r}, which is neither a Keras schedule nor a Keras callback.")
    if training.patience is not None:
        watched = plan.metrics.watched
        mode = "max" if plan.metrics.rises(watched) else "min"
        # A round that ended early would leave out those that follow, whose labels are better.
        patience = {"patience": training.patience, "start_from_epoch": start_of_last_round(plan)}
        stateful.append(keras.callbacks.EarlyStopping(watched, mode=mode, **patience))
    optimizer = build_optimizer(plan, rate)
    train_on_one_device(optimizer)
    update_in_one_pass(optimizer)
    # Weight decay is meant for the network: for a weighting's parameters, the value 0 has no special meaning.
    optimizer.exclude_from_weight_decay(var_list=task.weighting.trainable_variables)
    task.compile(optimizer=optimizer)
    choose_compiler(task)  # again, since `compile` resets it
    # Otherwise the first step would create the optimizer's variables and be traced twice, which takes seconds.
    task.optimizer.build(task.trainable_variables)
    if task.encoder is not None:
        task.encoder.update_apart(optimizer, len(batches))
    setup = TrainingSetup(task, objective, batches, stateful, transfer)
    for column in dict.fromkeys((best_by, *setup.watched)):
        _check_column(column, plan, data, split)
    return setup


def _check_column(column: str, plan: Plan, data: SegmentationData, split: Split) -> None:
    """Raise RequestError where `column` is the score of a metric and the history will not have it.

    Logs a warning where it is the score of a class that the validation subset does not have. Names of losses are not
    checked here.
    """
    table, score = plan.metrics, column.removeprefix(PREFIX)
    metric = table.of(score)
    if metric is None:
        return
    name, class_prefix = metric.entry.name, metric.component.per_class
    class_of = {f"{class_prefix}_{data.class_names[c]}": c for c in data.labelled_classes if class_prefix}
    available = [name, *class_of]
    if score not in available or (score == column and not plan.training.score_training):
        raise RequestError(
            f"The history has no column '{column}' to monitor.",
            where=f"--monitor {plan.training.monitor}" if column == table.watched else f"schedule, monitor={column}",
            hint=f"Available: {', '.join(PREFIX + name for name in available)}."
            if score not in available
            else f"Set training.score_training=true to score the training subset, or monitor {PREFIX}{score}.",
        )
    if score in class_of and score != column and not data.label_counts[split["validation"], class_of[score]].any():
        _logger.warning(f"{column} says nothing: the validation subset has no pixel of this class.")
