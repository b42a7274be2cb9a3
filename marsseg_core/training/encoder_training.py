"""Train the encoder of a network differently from the rest: later, more slowly, or with fixed statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ..messages import get_logger
from ..networks.encoder_layers import (
    encoder_layers,
    encoder_normalisations,
    freeze_encoder,
    set_statistics_mode,
    trained_variables,
)
from ..planning.options import EncoderOptions
from .encoder_updates import update_encoder_apart

_logger = get_logger(__name__)


class EncoderTraining:
    """The encoder of a network, and what a training changes in it.

    Between the epochs, the network is in its plain form, in which it is saved: the same layers with the same settings
    as without these options. Only the steps of an epoch see it as `begin_epoch` sets it.

    Attributes:
        frozen: whether the encoder's weights and statistics are unchanged in the present epoch; between two epochs, in
            the one before
    """

    def __init__(self, network: keras.Model, options: EncoderOptions) -> None:
        if options.freeze is True:
            freeze_encoder(network)  # before the optimizer is built, which needs no variables for the encoder then
        self._options = options
        self._variables = trained_variables(network)
        self._normalisations = encoder_normalisations(network)
        if options.statistics == "frozen" and not self._normalisations:
            _logger.warning("statistics=frozen has no effect: the encoder has no batch normalisation.")
        self._weights = [weight for layer in encoder_layers(network) for weight in layer.weights]
        self.frozen = options.freeze is not False

    @property
    def keeps_statistics(self) -> bool:
        """Return whether the statistics of batch normalisation do not move in the present epoch."""
        return self.frozen or self._options.statistics == "frozen"

    @property
    def unchanged(self) -> list[Any]:
        """Return the weights of the encoder that no epoch has changed so far."""
        if self.frozen:
            return self._weights
        if self._options.statistics == "frozen":
            return [weight for layer in self._normalisations for weight in layer.non_trainable_weights]
        return []

    def moving(self, normalisations: list[Any]) -> list[Any]:
        """Return those of the batch normalisation layers whose statistics move in the present epoch."""
        kept = {id(layer) for layer in self._normalisations} if self.keeps_statistics else set()
        return [layer for layer in normalisations if id(layer) not in kept]

    def update_apart(self, optimizer: keras.optimizers.Optimizer, steps_per_epoch: int) -> None:
        """Make an optimizer, which has been built, update the encoder by its own learning rate, once it is trained."""
        options = self._options
        if options.freeze is True:
            return
        frozen_epochs = 0 if options.freeze is False else options.freeze
        if frozen_epochs or options.learning_rate_factor != 1:
            update_encoder_apart(
                optimizer, self._variables, options.learning_rate_factor, frozen_epochs * steps_per_epoch
            )

    def begin_epoch(self, epoch: int) -> bool:
        """Set the network as the steps of an epoch (from 0) need it.

        Returns whether these differ from the steps before: the encoder is not frozen any more.
        """
        before = self.frozen
        self.frozen = self._frozen_in(epoch)
        self._set()
        return self.frozen != before

    def resume(self, epoch: int) -> None:
        """Set `frozen` as it is before an epoch (from 0) of a training that was not interrupted."""
        self.frozen = self._frozen_in(max(epoch - 1, 0))

    def _frozen_in(self, epoch: int) -> bool:
        freeze = self._options.freeze
        return freeze if isinstance(freeze, bool) else epoch < freeze

    def _set(self) -> None:
        for layer in self._normalisations:
            set_statistics_mode(layer, moving=not self.keeps_statistics)
        for variable in self._variables:
            variable.trainable = not self.frozen

    def end_epoch(self) -> None:
        """Give the network its plain form again."""
        for layer in self._normalisations:
            set_statistics_mode(layer, moving=True)
        for variable in self._variables:
            variable.trainable = True

    @contextmanager
    def as_in_steps(self) -> Iterator[None]:
        """Set the network as in the steps of the present epoch inside the block."""
        self._set()
        try:
            yield
        finally:
            self.end_epoch()
