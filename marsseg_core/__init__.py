"""marsseg: a registry of networks, losses and augmentations for the segmentation of Mars terrain.

>>> import marsseg_core as marsseg
>>> network = marsseg.network("dense:width=0.25", bottleneck="transformer,aspp")    # doctest: +SKIP
>>> run = marsseg.run(arch="dense:width=0.25", loss="wssce", data="synthetic")      # doctest: +SKIP
>>> network = marsseg.load(run.path)                                                # doctest: +SKIP

Importing this package imports neither Keras nor any plugin; calling its functions does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import (
        compare as compare,
        dataset as dataset,
        evaluate as evaluate,
        load as load,
        loss as loss,
        network as network,
        predict as predict,
        resume as resume,
        run as run,
        series as series,
    )
    from .registry.distribution import version as version

__all__ = ["compare", "dataset", "evaluate", "load", "loss", "network", "predict", "resume", "run", "series", "version"]


def __getattr__(name: str) -> Any:
    if name == "version":
        from .registry.distribution import version

        return version
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
