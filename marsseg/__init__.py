"""Provide the public names of `marsseg_core` under a shorter name. Each is imported when it is first used.

>>> import marsseg
>>> run = marsseg.run(arch="dense:width=0.25", loss="wssce", data="synthetic")    # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marsseg_core as _core

if TYPE_CHECKING:
    from marsseg_core import *  # noqa: F403

    __version__: str
else:  # a type checker would accept any name from a module that has __getattr__

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _core.version()
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(_core, name)


__all__ = [*_core.__all__, "__version__"]


def __dir__() -> list[str]:
    return __all__
