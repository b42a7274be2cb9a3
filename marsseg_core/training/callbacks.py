"""The engine's own Keras callbacks, in the order in which they run."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from ..conventions import TargetFunction
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.labels import unlabelled
from ..data.targets import with_targets
from ..errors import RunError
from ..evaluation.confusion import Confusion
from ..evaluation.evaluate import predicted_batches
from ..messages import get_logger
from ..planning.metrics import PREFIX, MetricTable, metric_table
from .task import SegmentationTask

_logger = get_logger(__name__)


class Interruption(keras.callbacks.Callback):
    """Ends the training on Ctrl-C between two steps.

    Inside a step Keras swallows exceptions while it waits for an asynchronous backend, so the signal is only noted
    there. A second one interrupts at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C from here on; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, number: int, frame: Any) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._stop()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._asked:
            raise KeyboardInterrupt


class Observer(keras.callbacks.Callback):
    """A callback that a plugin gave: when it raises or calls `sys.exit`, it is named once and left out from then on."""

    def __init__(self, inner: keras.callbacks.Callback) -> None:
        super().__init__()
        self._inner: keras.callbacks.Callback | None = inner

    def set_model(self, model: keras.Model) -> None:
        self._call("set_model", model)

    def set_params(self, params: Any) -> None:
        self._call("set_params", params)

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs)

    def _call(self, name: str, *arguments: Any) -> None:
        if self._inner is None:
            return
        try:
            getattr(self._inner, name)(*arguments)
        except (Exception, SystemExit) as cause:
            _logger.warning(f"The callback {self._inner!r} failed in {name} and is left out: {cause!r}")
            self._inner = None


class Weights(keras.callbacks.Callback):
    """Lets the weighting move between epochs, and puts what each loss counted in the epoch into the logs."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.weighting.on_epoch_begin(epoch, self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        task: SegmentationTask = self.model
        if len(task.loss_names) < 2:
            return
        counted = task.weighting.loss_names
        means = np.array([logs[f"loss_{name}"] for name in counted], np.float32)
        factors = dict(zip(counted, task.weighting.factors().tolist(), strict=True))
        logs.update({f"weight_{name}": factors.get(name, 0.0) for name in task.loss_names})
        task.weighting.on_epoch_end(means)


class EpochClock(keras.callbacks.Callback):
    """Tells the batches which epoch it is, before their workers start.

    `fit` calls a data set's own `on_epoch_end` once before the first epoch, so it cannot count for itself.
    """

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


class IdleLoss(keras.callbacks.Callback):
    """Stops a run after its first epoch if the objective, or every loss in it, was exactly 0 in all batches.

    One batch alone may have nothing to learn from: void ground, or a single class where boundaries are wanted.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        names = self.model.loss_names
        parts = [logs[f"loss_{name}"] for name in names] if len(names) > 1 else [logs["loss"]]
        if epoch == 0 and (logs["loss"] == 0 or not any(parts)):
            raise RunError(
                f"Nothing was learned in the first epoch: {' and '.join(names)} gave exactly 0 in every batch.",
                hint="The training subset has nothing of what it measures, or its weights are 0. "
                "`marsseg data inspect` shows what the masks hold; `--loss wssce` takes any.",
            )


class FiniteLoss(keras.callbacks.Callback):
    """Stops a run whose loss is not a finite number, naming the batch and the likely cause."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self._precision = precision
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The logged loss is a running mean: once it is not finite it stays so.
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            what = f"The loss became {loss} in epoch {self._epoch + 1}, batch {batch + 1}."
            raise RunError(what, hint=self._likely_cause(batch, logs))

    def _likely_cause(self, batch: int, logs: Mapping[str, Any]) -> str:
        rate = float(self.model.optimizer.learning_rate)
        network_is_finite = all(
            np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in self.model.network.trainable_variables
        )
        if (self._epoch == 0 and batch == 0) or (network_is_finite and self._precision == "float32"):
            names = self.model.loss_names
            guilty = [name for name in names if not math.isfinite(float(logs.get(f"loss_{name}", 0)))] or names
            return (
                f"The network was sound: {' or '.join(guilty)} divides by zero or overflows. Try another loss; "
                "of one of your own, `marsseg doctor --checks NAME` (with --plugin FILE) says more."
            )
        if self._precision != "float32":
            return f"{self._precision} overflows easily: try training.precision=float32 or a smaller learning rate."
        return f"The weights have grown without bound: try a smaller learning rate than {rate:g}."


class Scoring(keras.callbacks.Callback):
    """Scores the validation subset after each epoch, and puts what it finds into the logs of the callbacks behind it.

    Those are the losses, the metrics of `table` (of what is installed) that every history has, and the columns that are
    `watched`.
    """

    def __init__(
        self,
        data: SegmentationData,
        validation: np.ndarray,
        batch: int,
        training: np.ndarray | None = None,
        targets: Mapping[str, TargetFunction] | None = None,
        *,
        table: MetricTable | None = None,
        watched: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._table = table or metric_table()
        self._watched = watched
        self._data = data
        self._targets = targets or {}
        self._validation = validation
        self._training = training
        self._batch = batch
        self._started = 0.0
        self._rate = math.nan
        self.confusion: Confusion | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # The one the epoch starts with: a schedule has moved on to the next epoch's by its end.
        if batch == 0:
            self._rate = float(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        hint = f"Try a smaller learning rate than {self._rate:g}."
        try:
            with self.model.averaged():
                if self._training is not None:
                    logs.update(self._scores(self._score(self._training)[1], prefix=""))
                losses, self.confusion = self._score(self._validation)
        except RunError as error:
            raise RunError(f"The network is not sound after epoch {epoch + 1}: {error.what}", hint=hint) from error
        if not math.isfinite(losses["loss"]):
            raise RunError(f"The validation loss became {losses['loss']} after epoch {epoch + 1}.", hint=hint)
        logs.update({f"val_{name}": value for name, value in losses.items()})
        logs.update(self._scores(self.confusion, prefix=PREFIX))
        logs["learning_rate"] = self._rate
        logs["seconds"] = round(time.monotonic() - self._started, 3)

    def _score(self, items: np.ndarray) -> tuple[dict[str, float], Confusion]:
        """The means of the losses, batch by batch, over the images that have a label; and the confusion matrix."""
        task: SegmentationTask = self.model
        confusion = Confusion(self._data.class_names, self._data.ignore_classes, self._table.in_history(self._watched))
        sums: dict[str, float] = {}
        images = 0
        for masks, logits in predicted_batches(task.scored, self._data, items, self._batch):
            confusion.update(masks, logits)
            values = task.loss_values(with_targets(masks, self._targets), logits)
            losses = {"loss": task.objective(values)}
            if len(values) > 1:
                losses |= {f"loss_{name}": value for name, value in values.items()}
            # An image without a label is no evidence of a small loss.
            labelled = int((~unlabelled(masks, task.ignore_classes)).any(axis=(1, 2)).sum())
            images += labelled
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value) * labelled
        return {name: total / max(images, 1) for name, total in sums.items()}, confusion

    def _scores(self, confusion: Confusion, prefix: str) -> dict[str, float]:
        whole: dict[str, float] = {}
        of_classes: dict[str, float] = {}
        for metric in self._table.in_history(self._watched):
            name, component = metric.entry.name, metric.component
            if component.in_history or prefix + name in self._watched:
                whole[prefix + name] = confusion.value(name)
            columns = {f"{prefix}{score}": value for score, value in confusion.named_class_values(name).items()}
            of_classes |= {key: value for key, value in columns.items() if component.in_history or key in self._watched}
        return whole | of_classes
