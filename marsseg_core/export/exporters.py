"""Choose an exporter, and check that it can write here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from math import isfinite
from typing import Final

from ..components.interfaces import Exporter
from ..errors import MarssegError, RequestError, nearest
from ..networks.startup import chosen_backend
from ..planning.grammar import resolve_composition
from ..planning.resolved import ResolvedComponent
from ..registry.catalog import Catalog
from ..registry.kinds import EXPORTER

KERAS: Final = "keras"
"""The engine that needs no exported form."""


def find_exporter(text: str, catalog: Catalog) -> ResolvedComponent:
    """Return the exporter that a composition text names. Raises RequestError unless it is one that can write here."""
    found = resolve_composition(EXPORTER, text, catalog, where=f"--{EXPORTER.option} {text}")
    if len(found) != 1:
        raise RequestError("A network is written in one format.", where=f"--{EXPORTER.option} {text}")
    resolved = ResolvedComponent(*found[0])
    exporter: Exporter = resolved.component
    check_installed(exporter, resolved.entry.name, f"--{EXPORTER.option} {text}")
    if chosen_backend() not in exporter.backends:
        raise RequestError(
            f"'{resolved.entry.name}' is written with {' or '.join(exporter.backends)}; Keras' backend is "
            f"{chosen_backend()}.",
            where=f"--{EXPORTER.option} {text}",
            hint=f"Set KERAS_BACKEND={exporter.backends[0]}. A network of any backend can be exported with it.",
        )
    return resolved


def find_engine(name: str, catalog: Catalog) -> ResolvedComponent | None:
    """Return the exporter whose runtime is called `name`; None for Keras, which needs none.

    Raises RequestError unless there is such a runtime, and its modules are installed.
    """
    if name == KERAS:
        return None
    engines = dict(_engines(catalog))
    if name not in engines:
        hint = nearest(name, [KERAS, *engines], listing="There are")
        raise RequestError(f"There is no engine '{name}'.", where=f"--engine {name}", hint=hint)
    check_installed(engines[name].component, name, f"--engine {name}")
    return find_exporter(engines[name].entry.qualified_name, catalog)


def _engines(catalog: Catalog) -> Iterator[tuple[str, ResolvedComponent]]:
    for entry in catalog.of_kind(EXPORTER):
        with suppress(MarssegError):  # a broken plugin
            (found,) = resolve_composition(EXPORTER, entry.qualified_name, catalog)
            if found[1].engine:
                yield found[1].engine, ResolvedComponent(*found)


def check_precision(exporter: ResolvedComponent, precision: str, tolerance: float) -> None:
    """Raise RequestError where an exporter cannot write a precision, or the tolerance is no share of `miou`."""
    component: Exporter = exporter.component
    if precision not in component.precisions:
        raise RequestError(
            f"'{exporter.entry.name}' cannot be written in {precision}, only in {' or '.join(component.precisions)}.",
            where=f"--precision {precision}",
        )
    if not (isfinite(tolerance) and 0 <= tolerance <= 1):
        raise RequestError(f"The tolerance is a change of miou, from 0 to 1, not {tolerance:g}.", where="--tolerance")


def check_installed(exporter: Exporter, name: str, where: str) -> None:
    """Raise RequestError where a module that an exporter needs is not installed."""
    missing = [module for module in exporter.modules if find_spec(module) is None]
    if missing:
        raise RequestError(
            f"'{name}' needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed.",
            where=where,
            hint=f'Install what it needs: pip install "{exporter.install}"',
        )
