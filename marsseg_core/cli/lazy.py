"""Import and build a command when it is used, so that no command waits for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class LazyCommands(Mapping[str, Any]):
    """The Click commands of a group by name, each built when it is first read.

    Args:
        names: the names, in the order of the help
        build: imports and builds the command of a name
    """

    def __init__(self, names: Sequence[str], build: Callable[[str], Any]) -> None:
        self._names = tuple(names)
        self._build = build
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command. Raises KeyError where the group has none of this name."""
        if name not in self._names:
            raise KeyError(name)
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names. This builds no command."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return the number of commands."""
        return len(self._names)


def take_unset_options_as_they_are(params: Sequence[Any]) -> None:
    """Let options and arguments that were not used stay None, without Typer's conversion of values.

    The first conversion imports pydantic, which takes longer than all other work of `marsseg list`.
    """
    for param in params:
        param.process_value = _skip_unset(param, param.process_value)


def _skip_unset(param: Any, convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def process_value(context: Any, value: Any) -> Any:
        if value is not None or param.required:
            return convert(context, value)
        unset = () if param.multiple or param.nargs == -1 else None
        return unset if param.callback is None else param.callback(context, param, unset)

    return process_value
