"""The callbacks of a training in several processes: process 0 scores and writes, and tells the others the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .distribution import Devices


def led(devices: Devices, callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Return callbacks of process 0, which calls them alone: other processes get none of them."""
    if devices.distribution is None:
        return list(callbacks)
    return [_Leading(devices, callbacks)] if devices.leads else []


class SharedLogs(keras.callbacks.Callback):
    """Give every process the logs of process 0, so that all of them decide the same."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self._devices = devices

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Replace the logs of the epoch."""
        told = self._devices.from_leader({name: float(value) for name, value in logs.items()})
        logs.clear()
        logs.update(told)


class _Leading(keras.callbacks.Callback):
    """Call callbacks that use the task without the other processes and, between two steps, on one device."""

    def __init__(self, devices: Devices, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        self._devices = devices
        self._callbacks = callbacks

    def set_model(self, model: keras.Model) -> None:
        """Pass the call on."""
        super().set_model(model)
        for callback in self._callbacks:
            callback.set_model(model)

    def set_params(self, params: Any) -> None:
        """Pass the call on."""
        for callback in self._callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Pass the call on."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Pass the call on."""
        for callback in self._callbacks:
            callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Pass the call on."""
        for callback in self._callbacks:
            callback.on_train_batch_end(batch, logs)

    def _call(self, name: str, *arguments: Any) -> None:
        with self._devices.alone(self.model):
            for callback in self._callbacks:
                getattr(callback, name)(*arguments)
