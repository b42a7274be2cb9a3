"""Call what components define, so that a failure names the component."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import MarssegError, PluginError, RequestError
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import Kind
from ..registry.loading import failing_place
from ..registry.source_code import own_code
from . import grammar
from .options import NoOptions
from .resolved import ResolvedComponent


def call_component(resolved: ResolvedComponent, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a component's code; what it raises becomes a PluginError that names the component."""
    try:
        return function(*arguments)
    except MarssegError:
        raise
    except (Exception, SystemExit) as cause:
        place = failing_place(own_code(resolved.entry.module), cause)
        raise PluginError(
            f"The {resolved.entry.label} failed: {type(cause).__name__}: {cause}",
            where=", ".join(filter(None, (place, repr(resolved.component)))),
            hint="`marsseg --traceback …` shows how it came to that.",
        ) from cause


def build_component(resolved: ResolvedComponent, *arguments: Any) -> Any:
    """What a component builds; what `call_or_refuse` says of its failures."""
    return call_or_refuse(resolved, resolved.component.build, *arguments)


def call_or_refuse(resolved: ResolvedComponent, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a component's code. A ValueError means that its parameters do not fit here, any other failure is its own."""
    try:
        return call_component(resolved, function, *arguments)
    except PluginError as error:
        if isinstance(error.__cause__, ValueError):
            raise RequestError(
                f"The {resolved.entry.label} does not fit: {error.__cause__}", where=error.where
            ) from error
        raise


def nested_components(kind: Kind, text: str, catalog: Catalog, owner: Entry) -> tuple[ResolvedComponent, ...]:
    """The components that a composition text of another component asks for: of its own distribution where in doubt."""
    found = grammar.resolve_composition(kind, text, catalog, owner.distribution)
    return tuple(ResolvedComponent(entry, component, NoOptions()) for entry, component in found)
