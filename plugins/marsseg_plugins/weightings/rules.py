"""The layers of the weightings whose weights change: the state and the steps of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import softmax

from marsseg_core.plugin_api import WeightingLayer, WeightingSpec

# A smaller denominator of a ratio is replaced by this value.
SMALLEST = 1e-12


class Ramps(WeightingLayer):
    """Weights that change from `start` to `end`, (n,) each, scaled to a sum of 1.

    `between` is the begin and the end of the change, as shares of the training.
    """

    def __init__(
        self,
        spec: WeightingSpec,
        start: Sequence[float],
        end: Sequence[float],
        between: tuple[float, float],
        power: float,
    ) -> None:
        super().__init__(spec)
        self._start, self._end = (np.asarray(weights) / np.sum(weights) for weights in (start, end))
        self._between, self._power = between, power

    def on_epoch_begin(self, epoch: int, epochs: int) -> None:
        done, (begin, finish) = epoch / max(1, epochs - 1), self._between
        progress = np.clip((done - begin) / (finish - begin), 0, 1) if finish > begin else float(done >= finish)
        values = self._start + progress**self._power * (self._end - self._start)
        self.rule_weights.assign(values / values.sum())


class Uncertainties(WeightingLayer):
    """The objective Σ w·(½·e^(−s)·L + ½·s), with one trained s for each loss.

    The trained variable is v = s / speed. Its gradient is replaced by that with respect to s. So each optimizer step
    changes s by `speed` times the step of v, whether steps grow with the gradient (SGD) or not (Adam). The weights w
    are left out of the gradient, and it is limited to at least −1: a loss of 1,000 at s = 0 would move s far beyond its
    optimum, and it could only come back with a gradient of at most ½.
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
        # The added term has the value 0, and only sets the gradient.
        v = ops.convert_to_tensor(self.log_variances)
        return objective + ops.sum(slope * (v - ops.stop_gradient(v)))

    def factors(self) -> np.ndarray:
        return 0.5 * np.exp(-self._speed * ops.convert_to_numpy(self.log_variances)) * self.base_weights


class Rates(WeightingLayer):
    """Weights n·softmax(r / temperature), with the rates r = L(t − 1) / L(t − 2) of the losses and t the epoch.

    The rate is 1 where L(t − 2) is 0.
    """

    def __init__(self, spec: WeightingSpec, temperature: float) -> None:
        super().__init__(spec)
        self._temperature = temperature

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.last = self.add_state("last", -1.0)  # no loss yet

    def on_epoch_end(self, losses: np.ndarray) -> None:
        before = ops.convert_to_numpy(self.last)
        if (before >= 0).all():
            rates = np.where(before > 0, losses / np.maximum(before, SMALLEST), 1.0)
            self.rule_weights.assign(self.count * softmax(rates / self._temperature))
        self.last.assign(losses)


class Slopes(WeightingLayer):
    """Weights softmax(β·s), with the slopes s = L(t) − L(t − 1) of the losses and t the epoch.

    `normalised` divides the slopes by the sum of their absolute values. `by_loss` multiplies the weights by L(t).
    """

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
    """Weights λ that change so that the norms of the gradients match the rates of training; λ ≥ `floor`, Σλ = n."""

    uses_gradients = True

    def __init__(self, spec: WeightingSpec, alpha: float, rate: float, floor: float) -> None:
        super().__init__(spec)
        self._alpha, self._rate, self._floor = alpha, rate, floor

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.first = self.add_state("first")

    def step(self, losses: Any, norms: Any) -> None:
        weights, first = ops.convert_to_tensor(self.rule_weights), ops.convert_to_tensor(self.first)
        # A loss of 0 comes from a batch without labels: it is not taken as the first loss.
        first = ops.where(first > 0, first, losses)
        progress = ops.where(first > 0, losses / ops.maximum(first, SMALLEST), 1.0)
        relative = progress / ops.maximum(ops.mean(progress), SMALLEST)
        weighted = weights * norms
        mean = ops.maximum(ops.mean(weighted), SMALLEST)
        # d/dλ of Σ|λ·G − target| / mean, with a constant target; divided by the mean, so that the step has no unit.
        gradient = ops.sign(weighted - mean * ops.power(relative, self._alpha)) * norms / mean
        moved = ops.maximum(weights - self._rate * gradient, self._floor)
        self.rule_weights.assign(self.count * moved / ops.sum(moved))
        self.first.assign(first)


class RelativeLosses(WeightingLayer):
    """A moving mean of the weights n·softmax(L(t) / (T·L(t'))), where t' is the last step or, by chance, the first."""

    def __init__(self, spec: WeightingSpec, alpha: float, rho: float, temperature: float) -> None:
        super().__init__(spec)
        self._alpha, self._rho, self._temperature = alpha, rho, temperature
        self.chance = keras.random.SeedGenerator()  # seeded by Keras' global seed, which is that of the plan

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.first, self.last = self.add_state("first"), self.add_state("last")

    def step(self, losses: Any, norms: Any) -> None:
        weights, first, last = (ops.convert_to_tensor(state) for state in (self.rule_weights, self.first, self.last))
        since_first, since_last = self._balanced(losses, first), self._balanced(losses, last)
        draw = keras.random.uniform((), seed=self.chance)
        history = ops.where(draw < self._rho, weights, since_first)
        moved = self._alpha * history + (1 - self._alpha) * since_last
        self.rule_weights.assign(ops.where(ops.all(last > 0), moved, weights))
        self.first.assign(ops.where(first > 0, first, losses))
        self.last.assign(ops.where(losses > 0, losses, last))

    def _balanced(self, losses: Any, before: Any) -> Any:
        """Return n·softmax of the losses relative to earlier ones, (n,)."""
        ratios = ops.where(before > 0, losses / ops.maximum(before, SMALLEST), 1.0)
        return self.count * ops.softmax(ratios / self._temperature)
