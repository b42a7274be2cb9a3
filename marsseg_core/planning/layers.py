"""Values of a plan that is being built, each with the layer that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, Final

from ..errors import RequestError
from ..registry.entries import Entry
from ..registry.parameters import parameters_of

# The origin of values of `--set` on the command line, and of `overrides` in Python.
OVERRIDES: Final = ("--set", "overrides")

OLDER_PLAN: Final = "older plan file"
"""Name the origin of a value that an older plan file does not have, as its kind or parameter did not exist yet."""


@dataclass(eq=False)
class Values:
    """Values in a builder, each with the layer it came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def set(self, values: Mapping[str, Any], origin: str) -> None:
        """Set values, which come from the layer `origin`."""
        self.values.update(values)
        self.origins.update(dict.fromkeys(values, origin))

    def set_absent(self, cls: type, given: Mapping[str, Any]) -> None:
        """Set the parameters of `cls` that an older plan has not `given` to the value that they had implicitly then."""
        known = parameters_of(cls).items()
        absent = {key: each.absent for key, each in known if each.absent is not MISSING and key not in given}
        self.set(absent, OLDER_PLAN)


@dataclass(eq=False)
class Item(Values):
    """A component in a builder.

    Attributes:
        entry: the catalog entry of the component
        origin: the layer that named it
        version: the version of its distribution in the plan file that names it; empty if no plan file does
        python_object: the data or network passed in Python that the component represents; None for any other
        problem: why the component cannot be used. It is raised at the end only, as a later layer may replace the
            component.
    """

    entry: Entry = field(kw_only=True)
    origin: str = field(kw_only=True)
    version: str = field(default="", kw_only=True)
    python_object: Any = field(default=None, kw_only=True)
    problem: RequestError | None = field(default=None, kw_only=True)
