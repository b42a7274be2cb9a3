"""Import what only one executor needs."""

from __future__ import annotations

import importlib
from typing import Any

from marsseg_core.plugin_api import RequestError


def import_extra(module: str, executor: str) -> Any:
    """Return a module. Raises RequestError that names the executor's extra if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as cause:
        raise RequestError(
            f"The executor '{executor}' needs {module}, which cannot be imported: {cause}.",
            where=f"--on {executor}",
            hint=f'Install it: pip install "marsseg[{executor}]"',
        ) from cause
