"""Choose an exporter, and check that it can write here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Final

from ..components.exports import FLOAT32
from ..components.interfaces import Exporter
from ..errors import MarssegError, RequestError, nearest
from ..files.atomic import refuse_existing
from ..networks.startup import chosen_backend
from ..planning.grammar import parse, resolve_composition
from ..planning.resolved import ResolvedComponent
from ..registry.catalog import Catalog
from ..registry.kinds import EXPORTER

KERAS: Final = "keras"
"""The engine that needs no exported form."""

_PRECISION: Final = "precision"


@dataclass(frozen=True)
class Engine:
    """A runtime that computes predictions.

    Attributes:
        exporter: what writes the form that it needs
        precision: the precision in which it computes, one of the exporter's
    """

    exporter: ResolvedComponent
    precision: str = FLOAT32


def find_exporter(text: str, catalog: Catalog) -> ResolvedComponent:
    """Return the exporter that a composition text names. Raises RequestError unless it is one that can write here."""
    found = resolve_composition(EXPORTER, text, catalog, where=f"--{EXPORTER.option} {text}")
    if len(found) != 1:
        raise RequestError("A network is written in one format.", where=f"--{EXPORTER.option} {text}")
    (resolved,) = found
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


def find_engine(text: str, catalog: Catalog) -> Engine | None:
    """Return the engine that a text names, such as "onnxruntime" or "openvino:precision=bfloat16"; None for Keras.

    Raises RequestError unless there is such a runtime, its modules are installed, and it knows the precision.
    """
    where = f"--engine {text}"
    named = parse(text, where=where)
    if len(named) != 1:
        raise RequestError("Predictions are computed by one engine.", where=where)
    name, parameters = named[0].name, dict(named[0].parameters)
    if name == KERAS:
        _refuse_parameters(name, parameters, where, hint="It computes as the network was trained.")
        return None
    engines = dict(_engines(catalog))
    if name not in engines:
        hint = nearest(name, [KERAS, *engines], listing="There are")
        raise RequestError(f"There is no engine '{name}'.", where=where, hint=hint)
    precision = parameters.pop(_PRECISION, FLOAT32)
    _refuse_parameters(name, parameters, where, hint=f"Its only parameter is '{_PRECISION}'.")
    check_installed(engines[name].component, name, where)
    _check_known(precision, engines[name], where)
    return Engine(find_exporter(engines[name].entry.qualified_name, catalog), precision)


def _refuse_parameters(name: str, parameters: Iterable[str], where: str, *, hint: str) -> None:
    for unknown in parameters:
        raise RequestError(f"The engine '{name}' has no parameter '{unknown}'.", where=where, hint=hint)


def _engines(catalog: Catalog) -> Iterator[tuple[str, ResolvedComponent]]:
    for entry in catalog.of_kind(EXPORTER):
        with suppress(MarssegError):  # a broken plugin
            (found,) = resolve_composition(EXPORTER, entry.qualified_name, catalog)
            if found.component.engine:
                yield found.component.engine, found


def check_target(path: Path, exporter: Exporter) -> None:
    """Raise RequestError where `path` exists, or does not end as the exporter's files do."""
    refuse_existing(path)
    if exporter.suffix and path.suffix != exporter.suffix:
        raise RequestError(f"The file must end in {exporter.suffix}, but '{path}' does not.", where="--out")


def check_precision(exporter: ResolvedComponent, precision: str, tolerance: float) -> None:
    """Raise RequestError where an exporter cannot write a precision, or the tolerance is no share of `miou`."""
    _check_known(precision, exporter, f"--precision {precision}")
    if not (isfinite(tolerance) and 0 <= tolerance <= 1):
        raise RequestError(f"The tolerance is a change of miou, from 0 to 1, not {tolerance:g}.", where="--tolerance")


def _check_known(precision: str, exporter: ResolvedComponent, where: str) -> None:
    known = exporter.component.precisions
    if precision not in known:
        raise RequestError(
            f"'{exporter.entry.name}' cannot be written in {precision}, only in {' or '.join(known)}.", where=where
        )


def check_installed(exporter: Exporter, name: str, where: str) -> None:
    """Raise RequestError where a module that an exporter needs is not installed."""
    missing = [module for module in exporter.modules if find_spec(module) is None]
    if missing:
        raise RequestError(
            f"'{name}' needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed.",
            where=where,
            hint=f'Install what it needs: pip install "{exporter.install}"',
        )
