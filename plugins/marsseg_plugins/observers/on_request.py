"""Observers that hand a run on to another tool: they do so where MARSSEG_OBSERVERS names them, as in `tensorboard`.

So one whose library happens to be installed costs nothing, and changes no run, before it is wanted.
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
    """Whether the variable names this observer. The tool's library, and marsseg's extra for it, have the same name."""
    return name in _words() and _is_installed(name)


def check_request(name: str) -> None:
    """Before a run: RequestError where the variable names no observer, a warning where this one lacks its library."""
    known = {known for entry in installed().observers for known in (entry.name, *entry.aliases)}
    for word in _words():
        if word not in known:
            hint = nearest(word, known, listing="Observers")
            raise RequestError(f"There is no observer '{word}'.", where=VARIABLE, hint=hint)
    if name in _words() and not _is_installed(name):
        what = f"{VARIABLE} names {name}, which is not installed: the run goes on without it."
        _logger.warning(f'{what} To have it: pip install "marsseg[{name}]"')


def _words() -> list[str]:
    return [word.strip() for word in os.environ.get(VARIABLE, "").split(",") if word.strip()]


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # a folder of that name where Python looks has no origin


def scalars(record: Mapping[str, float | None]) -> dict[str, float]:
    """A line of the history as other tools group it: val_iou_sky is validation/iou_sky. Undefined ones are left out."""
    return {_path(column): value for column, value in record.items() if value is not None and column != "epoch"}


def _path(column: str) -> str:
    for beginning, group in (("val_", "validation"), ("weight_", "weights")):
        if column.startswith(beginning):
            return f"{group}/{column.removeprefix(beginning)}"
    return f"training/{column}"


def final_scalars(run: Run) -> dict[str, float]:
    """What the history has of the validation subset, and what was asked for, of the test subset: test/iou_sky, ….

    Nothing where it is not scored.
    """
    found = metric_values(run.metrics["subsets"].get("test", {}))
    table = run.plan.metrics
    return {f"test/{name}": value for name, value in found.items() if value is not None and table.records(name)}
