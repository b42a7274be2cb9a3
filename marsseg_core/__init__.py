"""Provide a registry of networks, losses and augmentations for the semantic segmentation of Mars terrain.

>>> import marsseg
>>> network = marsseg.network("dense:width=0.25", bottleneck="transformer,aspp")    # doctest: +SKIP
>>> run = marsseg.run(arch="dense:width=0.25", loss="wssce", data="synthetic")      # doctest: +SKIP
>>> network = marsseg.load(run)                                                     # doctest: +SKIP

Importing this package imports neither Keras nor any plugin; calling its functions does. The package `marsseg` has the
same names.
"""

from __future__ import annotations

import os
import platform
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

# TensorFlow reads this when it is imported. Its failures are exceptions, so its log (about how it was built, or that
# there is no GPU) is not needed.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# And this: on x86 processors without AVX-512 or the like it would not use its kernels of oneDNN, although they take
# less time there, too.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if TYPE_CHECKING:
    from .api import (
        ablate as ablate,
        compare as compare,
        dataset as dataset,
        evaluate as evaluate,
        extend as extend,
        list_components as list_components,
        load as load,
        loss as loss,
        network as network,
        plan as plan,
        predict as predict,
        report as report,
        resume as resume,
        run as run,
        series as series,
        sweep as sweep,
    )
    from .data.arrays import SegmentationData as SegmentationData
    from .errors import (
        MarssegError as MarssegError,
        PluginError as PluginError,
        RequestError as RequestError,
        RunError as RunError,
    )
    from .evaluation.confusion import Confusion as Confusion
    from .experiments.comparison import Comparison as Comparison
    from .experiments.series import Series as Series
    from .planning.plan import Plan as Plan
    from .registry.distribution import version as version
    from .registry.listing import ComponentInfo as ComponentInfo
    from .runs.run import Run as Run
    from .sweeps.result import AblationResult as AblationResult, SweepResult as SweepResult
else:  # a type checker would accept any name from a module that has __getattr__

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        if name != "version":  # api tells the results how notebooks show them
            import_module(".api", __name__)
        return getattr(import_module(f".{_MODULES.get(name, 'api')}", __name__), name)


__all__ = [
    "AblationResult",
    "Comparison",
    "ComponentInfo",
    "Confusion",
    "MarssegError",
    "Plan",
    "PluginError",
    "RequestError",
    "Run",
    "RunError",
    "SegmentationData",
    "Series",
    "SweepResult",
    "ablate",
    "compare",
    "dataset",
    "evaluate",
    "extend",
    "list_components",
    "load",
    "loss",
    "network",
    "plan",
    "predict",
    "report",
    "resume",
    "run",
    "series",
    "sweep",
    "version",
]

# The modules of the names that are not defined in `api`.
_MODULES: Final = {
    "AblationResult": "sweeps.result",
    "Comparison": "experiments.comparison",
    "ComponentInfo": "registry.listing",
    "Confusion": "evaluation.confusion",
    "Plan": "planning.plan",
    "Run": "runs.run",
    "SegmentationData": "data.arrays",
    "Series": "experiments.series",
    "SweepResult": "sweeps.result",
    "version": "registry.distribution",
    **dict.fromkeys(("MarssegError", "PluginError", "RequestError", "RunError"), "errors"),
}


def __dir__() -> list[str]:
    return __all__
