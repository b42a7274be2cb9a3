"""The entry of a component, recipe, observer or command in the catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from .distribution import normal
from .kinds import Kind

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9+_.-]*")

OK: Final = "ok"
CONFLICT: Final = "conflict"
DISABLED: Final = "disabled"
INCOMPATIBLE: Final = "incompatible"
INVALID: Final = "invalid"


@dataclass(frozen=True)
class Entry:
    """One component, recipe, observer or command of one distribution.

    Attributes:
        kind: its kind
        name: its name
        target: "module:attribute" for a component, or the dotted path of a module or recipe
        distribution: the distribution that provides it, or the name of a local plugin file
        version: the version of the distribution, or the first digits of the hash of a plugin file
        aliases: its other names
        status: OK, CONFLICT, DISABLED, INCOMPATIBLE or INVALID
        reason: why it has this status; empty for OK
        place: what messages name in place of the distribution, which is made up for a class passed in Python
    """

    kind: Kind
    name: str
    target: str
    distribution: str
    version: str
    aliases: tuple[str, ...] = ()
    status: str = OK
    reason: str = ""
    place: str = field(default="", compare=False)

    @property
    def qualified_name(self) -> str:
        """Return distribution/name, which is unique even if two distributions provide the same name."""
        return f"{self.distribution}/{self.name}"

    @property
    def usable(self) -> bool:
        """Return whether it can be chosen. With a conflict this is possible by its qualified name."""
        return self.status in (OK, CONFLICT)

    def is_called(self, text: str) -> bool:
        """Return whether `text` is its name or an alias, with or without its distribution as in distribution/name."""
        distribution, slash, name = text.rpartition("/")
        return name in (self.name, *self.aliases) and (not slash or normal(distribution) == normal(self.distribution))

    @property
    def module(self) -> str:
        """Return the module of the target."""
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        """Return the name of the target in its module; empty if the target is a module."""
        return self.target.partition(":")[2]

    @property
    def provider(self) -> str:
        """Return the distribution and its version, as in "marsseg 1.0.0"."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """Return the description for error messages, as in "loss 'dice' of marsseg 1.0.0"."""
        return f"{self.kind} '{self.name}' " + (f"({self.place})" if self.place else f"of {self.provider}")
