"""Import the libraries that only images with georeference need."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import RequestError


def import_geo(module: str) -> Any:
    """Return a module of the extra `geo`. Raises RequestError that names the extra if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as cause:
        raise RequestError(
            f"Images with georeference need {module.partition('.')[0]}, which cannot be imported: {cause}.",
            where="maps",
            hint='Install it: pip install "marsseg[geo]"',
        ) from cause


def quiet(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function of rasterio, without its warning that an image has no georeference: a map needs none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", import_geo("rasterio.errors").NotGeoreferencedWarning)
        return function(*arguments, **options)
