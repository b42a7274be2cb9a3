"""Compute the values of a metric component from its counts. A failure names the metric, and stops no other metric."""

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
    """Return the value of a metric; NaN where it is undefined. Raises PluginError where the metric fails."""
    value: float = call_component(metric, lambda: float(metric.component.value(counts, spec)))
    return value


def class_values_of(
    metric: ResolvedComponent, counts: np.ndarray, spec: MetricSpec, class_names: Sequence[str]
) -> dict[str, float]:
    """Return the value of a metric for each class that is not ignored, by the name of the class.

    Raises PluginError where the metric fails.
    """

    def values() -> dict[str, float]:
        per_class: Any = np.broadcast_to(metric.component.values(counts, spec), spec.num_classes)
        return {class_names[c]: float(per_class[c]) for c in spec.counted}

    named: dict[str, float] = call_component(metric, values)
    return named


@contextmanager
def skip_failing_metrics() -> Iterator[None]:
    """Turn the failure of a metric into a warning, so that the others are still computed."""
    try:
        yield
    except PluginError as error:
        _logger.warning(f"{error.what} It is left out.")


def or_none(value: float) -> float | None:
    """Return the value as JSON can hold it: None for NaN or infinity."""
    return float(value) if np.isfinite(value) else None
