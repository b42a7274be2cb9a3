"""Support for observers of other tools, which are active only if the variable MARSSEG_OBSERVERS names them.

So an observer whose library happens to be installed costs no time, and changes no run, until the user requests it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from marsseg_core.plugin_api import RequestError, get_logger, installed, metric_values, nearest

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run

_logger = get_logger(__name__)

VARIABLE: Final = "MARSSEG_OBSERVERS"


def asked_for(name: str) -> bool:
    """Return whether the variable names this observer and its library, which has the same name, is installed."""
    return name in _words() and _is_installed(name)


def check_request(name: str) -> None:
    """Check MARSSEG_OBSERVERS before a run.

    Raises RequestError if the variable has the name of no observer. Logs a warning if it has the name of this one, but
    its library is not installed.
    """
    known = {known for entry in installed().observers for known in (entry.name, *entry.aliases)}
    for word in _words():
        if word not in known:
            hint = nearest(word, known, listing="Observers")
            raise RequestError(f"There is no observer '{word}'.", where=VARIABLE, hint=hint)
    if name in _words() and not _is_installed(name):
        warning = f"{VARIABLE} names {name}, which is not installed: the run continues without it."
        _logger.warning(f'{warning} To use it: pip install "marsseg[{name}]"')


def _words() -> list[str]:
    return [word.strip() for word in os.environ.get(VARIABLE, "").split(",") if word.strip()]


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # a plain folder of this name on the import path has no origin


def scalars(record: Mapping[str, float | None]) -> dict[str, float]:
    """Return a line of the history with names that other tools can group, such as validation/iou_sky for val_iou_sky.

    Undefined values are left out.
    """
    return {_path(column): value for column, value in record.items() if value is not None and column != "epoch"}


def _path(column: str) -> str:
    for prefix, group in (("val_", "validation"), ("weight_", "weights")):
        if column.startswith(prefix):
            return f"{group}/{column.removeprefix(prefix)}"
    return f"training/{column}"


def final_scalars(run: Run) -> dict[str, float]:
    """Return the recorded scores of the test subset, with names such as test/iou_sky.

    These are the metrics that the history has for the validation subset, and those that the user requested. The result
    is empty if the test subset has no scores.
    """
    values = metric_values(run.metrics["subsets"].get("test", {}))
    table = run.plan.metrics
    return {f"test/{name}": value for name, value in values.items() if value is not None and table.records(name)}
