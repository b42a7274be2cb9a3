"""One run: from a plan to a scored network in its folder."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from .. import kinds
from ..backend import ask_for_determinism, choose_compiler, environment, keep_tensorflow_out
from ..components import ScheduleSpec
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.splits import Split, split_data
from ..errors import MarssegError, RunError
from ..evaluation.confusion import Confusion
from ..evaluation.evaluate import evaluate
from ..hooks import HookCaller, load_hooks
from ..plan import AugmentationOptions, Plan
from ..runs import RunFolder, create_run_folder, written_whole
from .building import build_network, build_task, built, calling
from .callbacks import EpochClock, FiniteLoss, Interruption, Observer, Scoring
from .checkpoint import Progress, callback_states, save_checkpoint
from .task import SegmentationTask

FINISHED: Final = "finished"
INTERRUPTED: Final = "interrupted"


@dataclass
class Run:
    """A run as observers and notebooks see it.

    `history` has one record an epoch, `metrics` is what metrics.json holds, `scores` the confusion matrix of each
    part that was scored. `network` is the best one once the run has ended.
    """

    plan: Plan
    folder: RunFolder
    data: SegmentationData
    split: Split
    network: keras.Model
    steps_per_epoch: int
    history: list[dict[str, float | None]] = field(default_factory=list)
    scores: dict[str, Confusion] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    best_epoch: int | None = None

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def interrupted(self) -> bool:
        return self.metrics.get("status") == INTERRUPTED


def load_network(folder: RunFolder) -> keras.Model:
    """The best network of a run, whose layers' modules are already imported."""
    network = keras.saving.load_model(folder.network, compile=False)
    choose_compiler(network)
    return network


def execute(plan: Plan, *, out: Path | None = None, warn: Callable[[str], None]) -> Run:
    """Read the data, part it, train, keep the best network, score the test part once.

    Nothing is written before data and network are sound. Ctrl-C ends the training early, with the best network so
    far kept and the test part unscored. `warn` takes a line about what went wrong without ending the run.
    """
    keep_tensorflow_out()
    dataset = plan.chosen[kinds.DATASET][0]
    data: SegmentationData = calling(dataset, dataset.component.load)
    split = split_data(data, plan.split.validation, plan.split.test, plan.split.seed)
    if plan.training.deterministic:
        ask_for_determinism()
    network = build_network(plan, data.images.shape[1:], data.num_classes)
    task = build_task(plan, network, data, split)
    chosen = plan.chosen[kinds.AUGMENTATION]
    augmentations = [(c.component, c.options.p) for c in chosen if isinstance(c.options, AugmentationOptions)]
    batches = TrainingBatches(
        data,
        split["train"],
        augmentations,
        batch=plan.training.batch,
        seed=plan.training.seed,
        workers=plan.training.workers,
    )
    schedule = built(
        plan.chosen[kinds.SCHEDULE][0], ScheduleSpec(plan.training.learning_rate, plan.training.epochs, len(batches))
    )
    folder = create_run_folder(plan.name, out)
    run = Run(plan, folder, data, split, task.scored, steps_per_epoch=len(batches))
    _write_beginning(run)

    def warn_and_log(line: str) -> None:
        warn(line)
        folder.log(f"warning: {line}")

    hooks = load_hooks(warn_and_log)
    try:
        hooks("marsseg_network_built", run=run)
        status = _train(run, task, batches, schedule, hooks, warn_and_log)
        _write_end(run, status)
        hooks("marsseg_run_finished", run=run)
    except MarssegError as error:
        with suppress(RunError):  # where the disk is full, the log is too
            folder.log(f"failed: {error}")
        raise
    return run


def _train(
    run: Run,
    task: SegmentationTask,
    batches: TrainingBatches,
    schedule: Any,
    hooks: HookCaller,
    warn: Callable[[str], None],
) -> str:
    training = run.plan.training
    resumable = []
    rate: Any = training.learning_rate
    if isinstance(schedule, keras.callbacks.Callback):
        resumable.append(schedule)
    else:
        rate = schedule
    if training.patience is not None:
        mode = "min" if "loss" in training.monitor else "max"
        resumable.append(keras.callbacks.EarlyStopping(training.monitor, mode=mode, patience=training.patience))
    task.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=training.weight_decay))
    choose_compiler(task)  # `compile` has chosen anew
    # A step that makes variables is traced twice, which takes seconds.
    task.optimizer.build(task.trainable_variables)
    scored_training = run.split["train"] if training.score_training else None
    observers = [
        Observer(callback, warn)
        for given in hooks("marsseg_callbacks", run=run)
        for callback in (given if isinstance(given, list | tuple) else [given])
    ]
    interruption = Interruption()
    callbacks = [
        interruption,
        EpochClock(batches),
        FiniteLoss(training.precision),
        Scoring(run.data, run.split["validation"], training.batch, scored_training),
        *resumable,
        _Keeper(run, resumable, hooks),
        *observers,
    ]
    try:
        with interruption.listening():
            task.fit(batches, epochs=training.epochs, callbacks=callbacks, shuffle=False, verbose=0)
    except BaseException as end:
        # `fit` leaves its callbacks as they are when it is broken off: a live bar would keep the terminal.
        for observer in observers:
            observer.on_train_end()
        if isinstance(end, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(end, MarssegError) or not isinstance(end, Exception):
            raise
        what = (str(end).strip() or type(end).__name__).splitlines()[0]
        hint = "`marsseg --traceback …` shows where. Smaller batches need less memory."
        raise RunError(f"The training failed: {type(end).__name__}: {what}", hint=hint) from end
    return FINISHED


class _Keeper(keras.callbacks.Callback):
    """Keeps the history, the best network by val_miou and the checkpoint after each epoch."""

    def __init__(self, run: Run, resumable: list[keras.callbacks.Callback], hooks: HookCaller) -> None:
        super().__init__()
        self._run = run
        self._resumable = resumable
        self._hooks = hooks
        self._best_score: float | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        run = self._run
        record = {"epoch": epoch + 1} | {name: _or_none(value) for name, value in logs.items()}
        run.history.append(record)
        score = record["val_miou"]
        # An undefined score is better than none, so that there is a network from the first epoch on.
        if run.best_epoch is None or (score is not None and (self._best_score is None or score > self._best_score)):
            run.best_epoch, self._best_score = epoch + 1, score
            with written_whole(run.folder.network) as aside:
                run.network.save(aside)
        run.folder.write_history(run.history)
        progress = Progress(epoch + 1, run.history, run.best_epoch, self._best_score, callback_states(self._resumable))
        save_checkpoint(run.folder.checkpoint, self.model, progress)
        run.folder.log(_epoch_line(record, run.plan.training.epochs))
        self._hooks("marsseg_epoch_finished", run=run, record=record)


def _or_none(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _epoch_line(record: Mapping[str, float | None], epochs: int) -> str:
    scores = " ".join(f"{name}={value:.5g}" for name, value in record.items() if name != "epoch" and value is not None)
    return f"epoch {record['epoch']}/{epochs} {scores}"


def _write_beginning(run: Run) -> None:
    folder = run.folder
    folder.write_text(folder.plan, run.plan.to_toml())
    folder.write_json(
        folder.split,
        {"schema": 1, "fingerprint": run.data.fingerprint(), "source": run.data.source} | run.split.to_json(),
    )
    started = {"started": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}", "process": os.getpid()}
    folder.write_json(folder.environment, environment() | started)
    folder.log(f"{run.plan.name}: {run.network.count_params():,} parameters, {len(run.split.train)} training images")


def _write_end(run: Run, status: str) -> None:
    """Score the best network: validation always, the test part only at a run's proper end."""
    run.metrics = {"schema": 1, "status": status, "epochs": len(run.history), "best_epoch": run.best_epoch, "parts": {}}
    if run.best_epoch is not None:
        run.network = load_network(run.folder)
        score = partial(evaluate, run.network, run.data, batch=run.plan.training.batch)
        run.scores = {part: score(run.split[part]) for part in ("validation", "test")[: 1 + (status == FINISHED)]}
        run.metrics["parts"] = {part: confusion.to_json() for part, confusion in run.scores.items()}
    run.folder.write_json(run.folder.metrics, run.metrics)
    run.folder.log(status)
