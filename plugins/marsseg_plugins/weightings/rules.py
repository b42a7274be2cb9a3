"""The layers of the weightings that move: each rule's state and steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import softmax

from marsseg_core.plugin_api import WeightingLayer, WeightingSpec

# A loss below this is taken as this where it stands in a ratio.
SMALLEST = 1e-12


class Ramps(WeightingLayer):
    """λ from `start` to `end`, (n,) each, between two shares of the training; always scaled to a sum of 1."""

    def __init__(
        self,
        spec: WeightingSpec,
        start: Sequence[float],
        end: Sequence[float],
        between: tuple[float, float],
        power: float,
    ) -> None:
        super().__init__(spec)
        self._start, self._end = (np.asarray(each) / np.sum(each) for each in (start, end))
        self._between, self._power = between, power

    def on_epoch_begin(self, epoch: int, epochs: int) -> None:
        done, (begin, finish) = epoch / max(1, epochs - 1), self._between
        way = np.clip((done - begin) / (finish - begin), 0, 1) if finish > begin else float(done >= finish)
        values = self._start + way**self._power * (self._end - self._start)
        self.rule_weights.assign(values / values.sum())


class Uncertainties(WeightingLayer):
    """Σ w·(½·e^(−s)·L + ½·s) with s trained; what is trained is v = s / speed.

    v is given the gradient with respect to s, not speed times it: s then moves by `speed` times the optimiser's step,
    whether that step grows with the gradient (SGD) or not (Adam). w is left out of it, and it is held to at least −1:
    a loss of 1,000 at s = 0 would throw s far past its optimum, from where it comes back by ½ a step at most.
    """

    def __init__(self, spec: WeightingSpec, speed: float) -> None:
        super().__init__(spec)
        self._speed = speed

    def build(self, input_shape: Any = None) -> None:
        self.log_variances = self.add_weight(name="log_variances", shape=(self.count,), initializer="zeros")
        self.built = True

    def call(self, losses: Any) -> Any:
        s = ops.stop_gradient(self._speed * self.log_variances)
        objective = ops.sum(self.base_weights * (0.5 * ops.exp(-s) * losses + 0.5 * s))
        slope = ops.stop_gradient(ops.maximum(0.5 - 0.5 * ops.exp(-s) * losses, -1.0))
        # Its value is 0; it carries the gradient.
        v = ops.convert_to_tensor(self.log_variances)
        return objective + ops.sum(slope * (v - ops.stop_gradient(v)))

    def factors(self) -> np.ndarray:
        return 0.5 * np.exp(-self._speed * ops.convert_to_numpy(self.log_variances)) * self.base_weights


class Rates(WeightingLayer):
    """n·softmax of the losses' rates L(t − 1) / L(t − 2) over a temperature, t counting epochs."""

    def __init__(self, spec: WeightingSpec, temperature: float) -> None:
        super().__init__(spec)
        self._temperature = temperature

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.last = self.add_state("last", -1.0)  # no loss yet

    def on_epoch_end(self, losses: np.ndarray) -> None:
        before = ops.convert_to_numpy(self.last)
        if (before >= 0).all():
            rates = losses / np.maximum(before, SMALLEST)
            self.rule_weights.assign(self.count * softmax(rates / self._temperature))
        self.last.assign(losses)


class Slopes(WeightingLayer):
    """Softmax of β times the losses' slopes L(t) − L(t − 1), t counting epochs; in a variant times L(t) too."""

    def __init__(self, spec: WeightingSpec, beta: float, normalised: bool, by_loss: bool) -> None:
        super().__init__(spec)
        self._beta, self._normalised, self._by_loss = beta, normalised, by_loss

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.rule_weights.assign(np.full(self.count, 1 / self.count))
        self.last = self.add_state("last")
        self.epochs = self.add_weight(name="epochs", shape=(), initializer="zeros", trainable=False)

    def on_epoch_end(self, losses: np.ndarray) -> None:
        if float(self.epochs) > 0:
            slopes = losses - ops.convert_to_numpy(self.last)
            if self._normalised:
                slopes = slopes / max(float(np.abs(slopes).sum()), SMALLEST)
            weights = softmax(self._beta * slopes)
            if self._by_loss and losses.any():
                weights = weights * losses
                weights = weights / max(float(weights.sum()), SMALLEST)
            self.rule_weights.assign(weights)
        self.last.assign(losses)
        self.epochs.assign_add(1.0)


class GradientNorms(WeightingLayer):
    """λ moved so that the gradients' norms come to fit the losses' rates of training; λ ≥ `floor`, Σλ = n."""

    uses_gradients = True

    def __init__(self, spec: WeightingSpec, alpha: float, rate: float, floor: float) -> None:
        super().__init__(spec)
        self._alpha, self._rate, self._floor = alpha, rate, floor

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.first = self.add_state("first")

    def step(self, losses: Any, norms: Any) -> None:
        own, first = ops.convert_to_tensor(self.rule_weights), ops.convert_to_tensor(self.first)
        # A batch without labels has no loss: it is no beginning.
        first = ops.where(first > 0, first, losses)
        progress = ops.where(first > 0, losses / ops.maximum(first, SMALLEST), 1.0)
        relative = progress / ops.maximum(ops.mean(progress), SMALLEST)
        weighted = own * norms
        mean = ops.maximum(ops.mean(weighted), SMALLEST)
        # d/dλ of Σ|λ·G − target| / mean, the target held fast; over the mean, so that the step has no unit.
        gradient = ops.sign(weighted - mean * ops.power(relative, self._alpha)) * norms / mean
        moved = ops.maximum(own - self._rate * gradient, self._floor)
        self.rule_weights.assign(self.count * moved / ops.sum(moved))
        self.first.assign(first)


class RelativeLosses(WeightingLayer):
    """A moving mean of n·softmax(L(t) / (T·L(t'))), t' the step before or, by chance, looking back to the first."""

    def __init__(self, spec: WeightingSpec, alpha: float, rho: float, temperature: float) -> None:
        super().__init__(spec)
        self._alpha, self._rho, self._temperature = alpha, rho, temperature
        self.chance = keras.random.SeedGenerator()  # from the plan's seed, which Keras has been given

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.first, self.last = self.add_state("first"), self.add_state("last")

    def step(self, losses: Any, norms: Any) -> None:
        own, first, last = (ops.convert_to_tensor(each) for each in (self.rule_weights, self.first, self.last))
        back, recent = self._balanced(losses, first), self._balanced(losses, last)
        draw = keras.random.uniform((), seed=self.chance)
        kept = ops.where(draw < self._rho, own, back)
        moved = self._alpha * kept + (1 - self._alpha) * recent
        self.rule_weights.assign(ops.where(ops.all(last > 0), moved, own))
        self.first.assign(ops.where(first > 0, first, losses))
        self.last.assign(ops.where(losses > 0, losses, last))

    def _balanced(self, losses: Any, before: Any) -> Any:
        ratios = ops.where(before > 0, losses / ops.maximum(before, SMALLEST), 1.0)
        return self.count * ops.softmax(ratios / self._temperature)
