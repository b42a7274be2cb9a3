"""marsseg: a registry of networks, losses and augmentations for the segmentation of Mars terrain.

>>> import marsseg_core as marsseg
>>> network = marsseg.network("dense:width=0.25", bottleneck="transformer,aspp")    # doctest: +SKIP
>>> run = marsseg.run(arch="dense:width=0.25", loss="wssce", data="synthetic")      # doctest: +SKIP
>>> network = marsseg.load(run.path)                                                # doctest: +SKIP

Importing this package imports neither Keras nor any plugin; calling its functions does.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import dataset as dataset, load as load, loss as loss, network as network, run as run

__all__ = ["dataset", "load", "loss", "network", "run", "version"]


@cache
def version() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import version as installed_version

    return installed_version("marsseg")


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
