"""Make an example command for a component, for `marsseg show` and the reference pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..registry.catalog import Catalog
from ..registry.entries import CONFLICT, Entry
from ..registry.kinds import ARCHITECTURE, DATASET, ENCODER, EXECUTOR, EXPORTER, LOSS, METRIC, WEIGHTING

if TYPE_CHECKING:
    from ..registry.parameters import Parameter


def example_command(entry: Entry, cls: Any, parameters: Sequence[Parameter], catalog: Catalog) -> str:
    """Return a command that uses a component, with one of its parameters if its value is short."""
    name = entry.qualified_name if entry.status == CONFLICT else entry.name
    if entry.kind == DATASET and any(parameter.name == "path" for parameter in parameters):
        return f"marsseg run --data {name}:path=FILE"
    if entry.kind == METRIC:
        return f"marsseg run --metrics {name}"
    from ..registry.parameters import to_text

    inline = next((p for p in parameters if not p.required and not isinstance(p.default, tuple | type(None))), None)
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
    encoder = _an_encoder(catalog) if entry.kind == ARCHITECTURE and cls.needs_encoder else ""
    # Required parameters of the built-in components are runs, a number, or a list with a number for each loss.
    value = ",".join("1" for _ in losses) or "1"
    needed = {p.name: "RUN" if p.name in ("run", "runs") else value for p in parameters if p.required}
    required = "".join(f" --set {option}.{name}.{key}={value}" for key, value in needed.items())
    return f"marsseg {entry.kind.command} {words}--{option} {name}{setting}{required}{encoder}"


def _an_encoder(catalog: Catalog) -> str:
    """Return the option with an installed encoder, for an architecture that needs one."""
    return f" --encoder {next(iter(catalog.names(ENCODER)), 'NAME')}"


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
