"""What the author of a plugin inherits to test it: one contract for each kind of component.

    from marsseg_core.testing import LossContract

    class TestMine(LossContract):
        component = Mine(power=0.5)

That class is a whole test file: pytest finds the checks in it. `slow` marks those that take more than a few seconds
(register the mark, or leave them out with `-m "not slow"`). A contract's class attributes say what a component does not
promise; a known failure is stated with its reason in `expected_failures`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from .architectures import ArchitectureContract as ArchitectureContract
    from .augmentations import AugmentationContract as AugmentationContract
    from .bottlenecks import BottleneckContract as BottleneckContract
    from .components import ComponentContract as ComponentContract
    from .datasets import DatasetContract as DatasetContract
    from .losses import LossContract as LossContract
    from .metrics import MetricContract as MetricContract
    from .optimizers import OptimizerContract as OptimizerContract
    from .schedules import ScheduleContract as ScheduleContract
    from .weightings import WeightingContract as WeightingContract

# Most need Keras, which takes seconds to import: each is imported when it is asked for.
_HOMES: Final = {
    "ArchitectureContract": "architectures",
    "AugmentationContract": "augmentations",
    "BottleneckContract": "bottlenecks",
    "ComponentContract": "components",
    "DatasetContract": "datasets",
    "LossContract": "losses",
    "MetricContract": "metrics",
    "OptimizerContract": "optimizers",
    "ScheduleContract": "schedules",
    "WeightingContract": "weightings",
}

__all__ = [
    "ArchitectureContract",
    "AugmentationContract",
    "BottleneckContract",
    "ComponentContract",
    "DatasetContract",
    "LossContract",
    "MetricContract",
    "OptimizerContract",
    "ScheduleContract",
    "WeightingContract",
]

# pytest then shows the values in a failed assertion, as it does in test files.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _HOMES.values()))


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
