"""Define the interface of schedules of the learning rate."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ...registry import kinds
from ..specs import ScheduleSpec
from .component import Component

if TYPE_CHECKING:
    import keras


class Schedule(Component):
    """Change the learning rate during a training."""

    kind = kinds.SCHEDULE

    def check(self, epochs: int) -> None:
        """Check that the parameters fit the number of epochs.

        marsseg calls this for each plan, before it imports Keras.

        Args:
            epochs: The length of the training.

        Raises:
            ValueError: The parameters do not fit, such as a warm-up that is longer than the training.
        """

    @abstractmethod
    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback:
        """Build a Keras learning-rate schedule or a Keras callback.

        Args:
            spec: The initial learning rate, and the epochs and steps of the training.

        Returns:
            A new object each time: a `LearningRateSchedule` if the rate depends on the step alone, or a `Callback`
                that sets the rate of the optimizer if it depends on the scores of the epochs.
        """
