"""Keys of plan files that were renamed or moved. With these tables, older plan files stay readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..registry.distribution import DISTRIBUTION
from ..registry.kinds import DATASET, OPTIMIZER, Kind
from . import grammar

# (section, key) → the kind whose composition text was stored there. The comment is the last version that wrote it.
MOVED_TO_KIND: Final[Mapping[tuple[str, str], Kind]] = {
    ("training", "optimizer"): OPTIMIZER,  # 0.1.0
}


@dataclass(frozen=True)
class _Renamed:
    """The current name of a parameter, and the current names of its renamed values, by their old names."""

    name: str
    values: Mapping[Any, str] = field(default_factory=dict)


_IGNORED: Final = {"ignored": _Renamed("ignore_classes")}
_FIT: Final = {"fit": _Renamed("resize", {"as_is": "none", "resize": "whole"})}

# (kind, name of a component of marsseg) → its renamed parameters, by their names in version 0.1.0.
RENAMED_PARAMETERS: Final[Mapping[tuple[Kind, str], Mapping[str, _Renamed]]] = {
    (DATASET, "ai4mars"): _FIT | _IGNORED,
    (DATASET, "folder"): _FIT | _IGNORED,
    (DATASET, "npz"): _IGNORED,
}


def with_current_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a plan file with moved and renamed keys replaced by the current ones."""
    current = dict(values)
    for (section, key), kind in MOVED_TO_KIND.items():
        if isinstance(table := current.get(section), Mapping) and key in table:
            current[section] = {name: value for name, value in table.items() if name != key}
            current.setdefault(kind.option, table[key])
    for kind in dict.fromkeys(kind for kind, _ in RENAMED_PARAMETERS):
        if kind.option in current:
            current[kind.option] = _rename_parameters(kind, current[kind.option])
    return current


def _rename_parameters(kind: Kind, components: Any) -> Any:
    """Rename the parameters in a composition text, a component's table, or a list of them."""
    if isinstance(components, list):
        return [_rename_parameters(kind, item) for item in components]
    if isinstance(components, str):
        tables = [{"name": named.name, **named.parameters} for named in grammar.parse(components)]
        renamed = [_rename_parameters(kind, table) for table in tables]
        return components if renamed == tables else renamed
    if not isinstance(components, Mapping) or components.get("distribution", DISTRIBUTION) != DISTRIBUTION:
        return components
    name = str(components.get("name")).removeprefix(f"{DISTRIBUTION}/")
    renamings = RENAMED_PARAMETERS.get((kind, name), {})
    table = {}
    for key, value in components.items():
        if (new := renamings.get(key)) and new.name not in components:
            table[new.name] = new.values.get(value, value) if isinstance(value, str) else value
        else:
            table[key] = value
    return table
