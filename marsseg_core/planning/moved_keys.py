"""Keys of plan files that are called otherwise now. Plans that were written before stay readable by these tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..registry.distribution import DISTRIBUTION
from ..registry.kinds import DATASET, OPTIMIZER, Kind
from . import grammar

# (section, key) → the kind whose composition text stood there.
MOVED_TO_KIND: Final[Mapping[tuple[str, str], Kind]] = {
    ("training", "optimizer"): OPTIMIZER,  # 0.1.0
}


@dataclass(frozen=True)
class _Renamed:
    """What a parameter is called now, and those of its values that are called otherwise."""

    name: str
    values: Mapping[Any, str] = field(default_factory=dict)


_IGNORED: Final = {"ignored": _Renamed("ignore_classes")}
_FIT: Final = {"fit": _Renamed("resize", {"as_is": "none", "resize": "whole"})}

# (kind, name of a component of marsseg) → its parameters of 0.1.0 by the names that they had.
RENAMED_PARAMETERS: Final[Mapping[tuple[Kind, str], Mapping[str, _Renamed]]] = {
    (DATASET, "ai4mars"): _FIT | _IGNORED,
    (DATASET, "folder"): _FIT | _IGNORED,
    (DATASET, "npz"): _IGNORED,
}


def with_keys_of_today(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put each value of a plan file where it stands today, under the name that it has today."""
    found = dict(values)
    for (section, key), kind in MOVED_TO_KIND.items():
        if isinstance(table := found.get(section), Mapping) and key in table:
            found[section] = {name: value for name, value in table.items() if name != key}
            found.setdefault(kind.option, table[key])
    for kind in dict.fromkeys(kind for kind, _ in RENAMED_PARAMETERS):
        if kind.option in found:
            found[kind.option] = _renamed(kind, found[kind.option])
    return found


def _renamed(kind: Kind, given: Any) -> Any:
    """Rename the parameters in a composition text, a component's table, or a list of them."""
    if isinstance(given, list):
        return [_renamed(kind, item) for item in given]
    if isinstance(given, str):
        tables = [{"name": named.name, **named.parameters} for named in grammar.parse(given)]
        renamed = [_renamed(kind, table) for table in tables]
        return given if renamed == tables else renamed
    if not isinstance(given, Mapping) or given.get("distribution", DISTRIBUTION) != DISTRIBUTION:
        return given
    name = str(given.get("name")).removeprefix(f"{DISTRIBUTION}/")
    names = RENAMED_PARAMETERS.get((kind, name), {})
    found = {}
    for key, value in given.items():
        if (new := names.get(key)) and new.name not in given:
            found[new.name] = new.values.get(value, value) if isinstance(value, str) else value
        else:
            found[key] = value
    return found
