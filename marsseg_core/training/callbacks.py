"""The Keras callbacks of a training. `fit.fit` decides on their order."""

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
from ..data.arrays import SegmentationData, scale
from ..data.labels import unlabelled
from ..data.targets import with_targets
from ..errors import RunError
from ..evaluation.confusion import Confusion
from ..evaluation.evaluate import predicted_batches
from ..failures import describe, safe_repr
from ..messages import get_logger, log_waiting
from ..planning.metrics import PREFIX, MetricTable, metric_table
from ..registry.process_state import keep_process_state, restore_process_state
from .feed import BatchFeed
from .task import SegmentationTask

_logger = get_logger(__name__)


class Interruption(keras.callbacks.Callback):
    """Stop the training on Ctrl-C, between two steps.

    Inside a step, Keras may swallow an exception while it waits for an asynchronous backend. Therefore the signal
    handler only sets a flag, which is read between steps. A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle Ctrl-C inside the block. Only the main thread can; in other threads this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Stop if Ctrl-C was pressed."""
        self._stop_if_requested()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop if Ctrl-C was pressed."""
        self._stop_if_requested()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stop if Ctrl-C was pressed."""
        self._stop_if_requested()

    def _stop_if_requested(self) -> None:
        log_waiting()
        if self._requested:
            raise KeyboardInterrupt


class GuardedCallback(keras.callbacks.Callback):
    """Run a plugin's callback, so that its failure does not end the training.

    When it raises an exception or calls `sys.exit`, one warning names it, and it is not called again.
    """

    def __init__(self, inner: keras.callbacks.Callback) -> None:
        super().__init__()
        self._inner: keras.callbacks.Callback | None = inner

    def set_model(self, model: keras.Model) -> None:
        """Pass the call on."""
        self._call("set_model", model)

    def set_params(self, params: Any) -> None:
        """Pass the call on."""
        self._call("set_params", params)

    def on_train_begin(self, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_end", logs)

    def _call(self, name: str, *arguments: Any) -> None:
        if self._inner is None:
            return
        try:
            with keep_process_state():
                getattr(self._inner, name)(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as cause:
            _logger.warning(
                f"The callback {safe_repr(self._inner)} failed in {name} and is not called again: {describe(cause)}"
            )
            self._inner = None


class WeightingUpdates(keras.callbacks.Callback):
    """Let the weighting update its factors between epochs, and log the factor of each loss as `weight_<loss>`."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Tell the weighting which epoch begins."""
        self.model.weighting.on_epoch_begin(epoch, self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the factors of this epoch, then pass the mean losses to the weighting."""
        task: SegmentationTask = self.model
        if len(task.loss_names) < 2:
            return
        weighted_losses = task.weighting.loss_names
        means = np.array([logs[f"loss_{name}"] for name in weighted_losses], np.float32)
        factors = dict(zip(weighted_losses, task.weighting.factors().tolist(), strict=True))
        logs.update({f"weight_{name}": factors.get(name, 0.0) for name in task.loss_names})
        task.weighting.on_epoch_end(means)


class ProcessState(keras.callbacks.Callback):
    """Undo what layers, schedules and data sets changed in the process, before the files of an epoch are written.

    Keras calls them, so their calls cannot be guarded one by one.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Go back to the working directory of the run, for example."""
        restore_process_state()


class EpochClock(keras.callbacks.Callback):
    """Set the epoch number of the batches, before their workers start.

    `fit` calls the `on_epoch_end` of the batches once before the first epoch, so they cannot count the epochs
    themselves.
    """

    def __init__(self, batches: BatchFeed) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch number."""
        self._batches.epoch = epoch


class EncoderEpochs(keras.callbacks.Callback):
    """Freeze the encoder in its first epochs, and make a new training step when it is trained from then on."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the network for the steps of this epoch."""
        if self.model.encoder.begin_epoch(epoch):
            self.model.make_train_function(force=True)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Give the network its plain form again, before it is scored and saved."""
        self.model.encoder.end_epoch()


class IdleLoss(keras.callbacks.Callback):
    """Stop a run after its first epoch if the objective, or every loss in it, was exactly 0 in all batches.

    A single batch with the loss 0 is no error: all its pixels may be void, or it may show one class only, so that a
    boundary loss has no boundary.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Raise RunError after the first epoch if nothing was learned."""
        names = self.model.loss_names
        loss_values = [logs[f"loss_{name}"] for name in names] if len(names) > 1 else [logs["loss"]]
        if epoch == 0 and (logs["loss"] == 0 or not any(loss_values)):
            raise RunError(
                f"Nothing was learned in the first epoch: {' and '.join(names)} gave exactly 0 in every batch.",
                hint="The masks of the training subset contain nothing that this loss measures, or its weights are 0. "
                "`marsseg data inspect` shows the contents of the masks; `--loss wssce` works with all masks.",
            )


class FiniteLoss(keras.callbacks.Callback):
    """Stop a run whose loss is not a finite number. The error names the batch and the likely cause."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self._precision = precision
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remember the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raise RunError where the loss is not finite."""
        # The logged loss is a running mean: once it is not finite, it stays so.
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            what = f"The loss became {loss} in epoch {self._epoch + 1}, batch {batch + 1}."
            raise RunError(what, hint=self._likely_cause(batch, logs))

    def _likely_cause(self, batch: int, logs: Mapping[str, Any]) -> str:
        rate = float(self.model.optimizer.learning_rate)
        network_is_finite = all(
            np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in self.model.network.trainable_variables
        )
        if (self._epoch == 0 and batch == 0) or (network_is_finite and self._precision != "mixed_float16"):
            if not math.isfinite(float(logs.get("semi", 0))):
                return "The network's weights were finite: the term of the semi-supervised method (--semi) is not."
            names = self.model.loss_names
            not_finite = [name for name in names if not math.isfinite(float(logs.get(f"loss_{name}", 0)))] or names
            return (
                f"The network's weights were finite: the loss {' or '.join(not_finite)} divides by zero or overflows. "
                "Try another loss. To test your own loss: `marsseg doctor --checks NAME` (with --plugin FILE)."
            )
        if self._precision == "mixed_float16":  # mixed_bfloat16 has the range of float32
            return f"{self._precision} overflows easily: try training.precision=float32 or a smaller learning rate."
        return f"The weights have become too large: try a smaller learning rate than {rate:g}."


class Scoring(keras.callbacks.Callback):
    """Score the validation subset after each epoch, and add the results to the logs for the callbacks that follow.

    The results are the losses, the metrics of `table` that are in every history, and the columns in `watched`. Without
    a `table`, the installed metrics are used. If `training` has items, these are scored too.
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
        """Start the clock of the epoch."""
        self._started = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Remember the learning rate at the beginning of the epoch."""
        # At the end of the epoch, a schedule has already set the rate of the next epoch.
        if batch == 0:
            self._rate = float(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Score, and add losses, metrics, learning rate and duration (in seconds) to the logs.

        Raises RunError where the network's logits or the validation loss are not finite.
        """
        hint = f"Try a smaller learning rate than {self._rate:g}."
        try:
            with self.model.averaged():
                if self._training is not None:
                    logs.update(self._scores(self._score(self._training)[1], prefix=""))
                losses, self.confusion = self._score(self._validation)
        except RunError as error:
            raise RunError(f"The network is unusable after epoch {epoch + 1}: {error.what}", hint=hint) from error
        loss = losses["loss"]
        if loss is not None and not math.isfinite(loss):
            raise RunError(f"The validation loss became {loss} after epoch {epoch + 1}.", hint=hint)
        logs.update({f"val_{name}": math.nan if value is None else value for name, value in losses.items()})
        logs.update(self._scores(self.confusion, prefix=PREFIX))
        logs["learning_rate"] = self._rate
        logs["seconds"] = round(time.monotonic() - self._started, 3)

    def _score(self, items: np.ndarray) -> tuple[dict[str, float | None], Confusion]:
        """Return the mean of each loss over all labelled images, None where there are none, and the confusion matrix.

        The loss of each batch is weighted by its number of images that have a label.
        """
        task: SegmentationTask = self.model
        confusion = Confusion(self._data.class_names, self._data.ignore_classes, self._table.in_history(self._watched))
        sums: dict[str, float] = {}
        images, begin = 0, 0
        for masks, logits in predicted_batches(task.scored, self._data, items, self._batch):
            confusion.update(masks, logits)
            batch_items, begin = items[begin : begin + len(masks)], begin + len(masks)
            batch_images = scale(self._data.images[batch_items]) if task.with_images else None
            values = task.loss_values(with_targets(masks, self._targets), logits, batch_images)
            losses = {"loss": task.objective(values)}
            if len(values) > 1:
                losses |= {f"loss_{name}": value for name, value in values.items()}
            # An image without any label must not make the mean loss smaller.
            labelled = int((~unlabelled(masks, task.ignore_classes)).any(axis=(1, 2)).sum())
            images += labelled
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value) * labelled
        return {name: total / images if images else None for name, total in sums.items()}, confusion

    def _scores(self, confusion: Confusion, prefix: str) -> dict[str, float]:
        """Return the columns of the history: first the metrics, then their values for each class."""
        overall: dict[str, float] = {}
        per_class: dict[str, float] = {}
        for metric in self._table.in_history(self._watched):
            name, component = metric.entry.name, metric.component
            if component.in_history or prefix + name in self._watched:
                overall[prefix + name] = confusion.value(name)
            columns = {f"{prefix}{score}": value for score, value in confusion.named_class_values(name).items()}
            per_class |= {key: value for key, value in columns.items() if component.in_history or key in self._watched}
        return overall | per_class
