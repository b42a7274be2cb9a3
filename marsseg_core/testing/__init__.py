"""The contracts: classes with the checks that a component must pass, one class for each kind of component.

The author of a plugin inherits a contract to test a component:

    from marsseg_core.testing import LossContract

    class TestMyLoss(LossContract):
        component = MyLoss(power=0.5)

This class is a whole test file: pytest finds the checks in it. The mark `slow` is on the checks that take more than a
few seconds; register this mark, or leave these checks out with `-m "not slow"`. Class attributes of a contract say
which optional properties the component has. A check that is known to fail is listed, with the reason, in
`expected_failures`.
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
    from .encoders import EncoderContract as EncoderContract
    from .executors import ExecutorContract as ExecutorContract
    from .exporters import ExporterContract as ExporterContract
    from .losses import LossContract as LossContract
    from .methods import MethodContract as MethodContract
    from .metrics import MetricContract as MetricContract
    from .optimizers import OptimizerContract as OptimizerContract
    from .schedules import ScheduleContract as ScheduleContract
    from .weightings import WeightingContract as WeightingContract

# The module of each contract. It is imported at the first use of the contract, as most modules need Keras, which takes
# seconds to import.
_MODULES: Final = {
    "ArchitectureContract": "architectures",
    "AugmentationContract": "augmentations",
    "BottleneckContract": "bottlenecks",
    "ComponentContract": "components",
    "DatasetContract": "datasets",
    "EncoderContract": "encoders",
    "ExecutorContract": "executors",
    "ExporterContract": "exporters",
    "LossContract": "losses",
    "MethodContract": "methods",
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
    "EncoderContract",
    "ExecutorContract",
    "ExporterContract",
    "LossContract",
    "MethodContract",
    "MetricContract",
    "OptimizerContract",
    "ScheduleContract",
    "WeightingContract",
]

# Let pytest show the values of a failed assertion, as it does in test files.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES.values()))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
