"""Read a metric off its counts, so that a failure names the metric and costs nobody else anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..components.specs import MetricSpec
from ..errors import PluginError
from ..messages import get_logger
from ..planning.invoke import call_component
from ..planning.resolved import ResolvedComponent

_logger = get_logger(__name__)


def value_of(metric: ResolvedComponent, counts: np.ndarray, spec: MetricSpec) -> float:
    """The metric's number; NaN where it is undefined."""
    value: float = call_component(metric, lambda: float(metric.component.value(counts, spec)))
    return value


def class_values_of(
    metric: ResolvedComponent, counts: np.ndarray, spec: MetricSpec, class_names: Sequence[str]
) -> dict[str, float]:
    """The metric's number for each class that counts, by the class's name."""

    def values() -> dict[str, float]:
        found: Any = np.broadcast_to(metric.component.values(counts, spec), spec.num_classes)
        return {class_names[c]: float(found[c]) for c in spec.counted}

    named: dict[str, float] = call_component(metric, values)
    return named


@contextmanager
def without_those_that_fail() -> Iterator[None]:
    """Warn of a metric that fails, and go on without it."""
    try:
        yield
    except PluginError as error:
        _logger.warning(f"{error.what} It is left out.")


def or_none(value: float) -> float | None:
    """What JSON can hold: None for what is undefined."""
    return float(value) if np.isfinite(value) else None
