"""One component, recipe or observer of one distribution, as its metadata describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    """One component, recipe or observer of one distribution. `target` is "module:attribute", or a module path."""

    kind: Kind
    name: str
    target: str
    distribution: str
    version: str
    aliases: tuple[str, ...] = ()
    status: str = OK
    reason: str = ""

    @property
    def qualified_name(self) -> str:
        """The name that picks this one also where two distributions claim the same."""
        return f"{self.distribution}/{self.name}"

    @property
    def usable(self) -> bool:
        """Whether it can be chosen: a conflict is resolved by the distribution's name, anything else is final."""
        return self.status in (OK, CONFLICT)

    def is_called(self, text: str) -> bool:
        """Whether `text` may mean this one: a name, an alias or distribution/name."""
        distribution, slash, name = text.rpartition("/")
        return name in (self.name, *self.aliases) and (not slash or normal(distribution) == normal(self.distribution))

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        return self.target.partition(":")[2]

    @property
    def provider(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """How error texts name it."""
        return f"{self.kind} '{self.name}' of {self.provider}"
