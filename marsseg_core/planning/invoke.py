"""Call the code of components, so that error messages name the component that failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..components.given import given_entry
from ..errors import TRACEBACK_HINT, MarssegError, PluginError, RequestError
from ..failures import describe, memory_error, safe_repr, text_of
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import Kind
from ..registry.loading import failure_location
from ..registry.process_state import keep_process_state
from ..registry.source_code import source_root
from . import grammar
from .resolved import ResolvedComponent


def call_component(resolved: ResolvedComponent, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a component. Exceptions other than marsseg's become a PluginError that names the component.

    A shortage of memory becomes a RunError, as it is not the component's fault.
    """
    try:
        with keep_process_state():
            return function(*arguments)
    except (KeyboardInterrupt, MarssegError):
        raise
    except BaseException as cause:
        if shortage := memory_error(cause, resolved.entry.label):
            raise shortage from cause
        place = failure_location(source_root(resolved.entry.module), cause)
        raise PluginError(
            f"The {resolved.entry.label} failed: {describe(cause)}",
            where=", ".join(filter(None, (place, safe_repr(resolved.component)))),
            hint=TRACEBACK_HINT,
        ) from cause


def build_component(resolved: ResolvedComponent, *arguments: Any) -> Any:
    """Call the component's method `build`. Failures are handled as in `call_checking_parameters`."""
    return call_checking_parameters(resolved, resolved.component.build, *arguments)


def call_checking_parameters(resolved: ResolvedComponent, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a component that raises ValueError if its parameters do not fit the rest of the plan.

    The ValueError becomes a RequestError, any other exception a PluginError.
    """
    try:
        return call_component(resolved, function, *arguments)
    except PluginError as error:
        if isinstance(cause := error.__cause__, ValueError):
            raise _misfit(resolved.entry, text_of(cause)) from error
        raise


def _misfit(entry: Entry, why: str) -> RequestError:
    what, option = f"The {entry.label} does not fit: {why}", f"--{entry.kind.option}"
    if given_entry(entry.kind, entry.name) is not None:  # an object passed in Python, which has no parameters
        return RequestError(what, where=option)
    hint = f"`marsseg show {entry.name}` lists its parameters."
    return RequestError(what, where=f"{option} {entry.name}", hint=hint)


def nested_components(
    kind: Kind, text: str, catalog: Catalog, owner: Entry, *, where: str | None = None
) -> tuple[ResolvedComponent, ...]:
    """Create the components of a composition text that is a parameter of the component `owner`.

    If several distributions provide a name, the owner's distribution is used. Errors name `where`, else the text.
    """
    return tuple(grammar.resolve_composition(kind, text, catalog, owner.distribution, where=where))
