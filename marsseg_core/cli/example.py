"""Make an example command for a component, for `marsseg show` and the reference pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..registry.catalog import Catalog
from ..registry.entries import CONFLICT, Entry
from ..registry.kinds import ARCHITECTURE, DATASET, ENCODER, EXECUTOR, EXPORTER, LOSS, METHOD, METRIC, WEIGHTING, Kind

if TYPE_CHECKING:
    from ..registry.parameters import Parameter

# Images for semi-supervised methods: scenes after those of the default data set.
UNLABELLED: Final = "synthetic:first=160:count=200"


def example_command(entry: Entry, cls: Any, parameters: Sequence[Parameter], catalog: Catalog) -> str:
    """Return a command that uses a component, with one of its parameters if its value is short."""
    name = entry.qualified_name if entry.status == CONFLICT else entry.name
    if entry.kind == DATASET and any(parameter.name == "path" for parameter in parameters):
        return f"marsseg run --data {name}:path=FILE"
    if entry.kind == METRIC:
        return f"marsseg run --metrics {name}"
    from ..registry.parameters import to_text

    idle = _without_effect(entry, cls, parameters)
    brief = (p for p in parameters if not p.required and not isinstance(p.default, tuple | type(None)))
    inline = next((p for p in brief if p.name not in idle), None)
    setting = f":{inline.name}={to_text(inline.default)}" if inline else ""
    option = entry.kind.option
    if entry.kind == EXPORTER:
        return f"marsseg export RUN --format {name}{setting} --out PATH"
    losses = _two_losses(catalog) if entry.kind == WEIGHTING else []
    words = f"--loss {','.join(losses)} " if losses else ""
    if entry.kind == ENCODER:
        words = "--arch unet "  # the default architecture does not take one
    if entry.kind == EXECUTOR:
        words = "--vary training.seed=0,1 "
    others = _others(entry.kind, cls, catalog)
    # Required parameters of the built-in components are runs, a number, or a list with a number for each loss.
    value = ",".join("1" for _ in losses) or "1"
    needed = {p.name: "RUN" if p.name in ("run", "runs") else value for p in parameters if p.required}
    required = "".join(f" --set {option}.{name}.{key}={value}" for key, value in needed.items())
    return f"marsseg {entry.kind.command} {words}--{option} {name}{setting}{required}{others}"


def _without_effect(entry: Entry, cls: Any, parameters: Sequence[Parameter]) -> Collection[str]:
    """Return the parameters that have no effect while the others have their defaults."""
    if any(parameter.required for parameter in parameters):
        return ()
    from ..registry.loading import plugin_errors_named

    with plugin_errors_named(entry, "failed"):
        return tuple(cls().without_effect())


def _others(kind: Kind, cls: Any, catalog: Catalog) -> str:
    """Return the options that a component needs beside its own."""
    if kind == ARCHITECTURE and cls.needs_encoder:
        return f" --encoder {next(iter(catalog.names(ENCODER)), 'NAME')}"
    if kind == METHOD:
        return f" --unlabelled {UNLABELLED}"
    return ""


def _two_losses(catalog: Catalog) -> list[str]:
    """Return the names of two installed losses that any weighting accepts: their values are never negative."""
    from ..errors import MarssegError
    from ..planning.grammar import components

    losses: list[str] = []
    for name in catalog.names(LOSS):
        with suppress(MarssegError):  # a loss that is broken or has a required parameter
            if not components(LOSS, name, catalog)[0].may_be_negative:
                losses.append(name)
    return losses[:2]
