"""Keys of plan files that have another place now. Plans that were written before stay readable by this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..registry.kinds import OPTIMIZER, Kind

# (section, key) → the kind whose composition text stood there.
MOVED_TO_KIND: Final[Mapping[tuple[str, str], Kind]] = {
    ("training", "optimizer"): OPTIMIZER,  # 0.1.0
}


def with_keys_of_today(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put each value of a plan file where it stands today."""
    found = dict(values)
    for (section, key), kind in MOVED_TO_KIND.items():
        if isinstance(table := found.get(section), Mapping) and key in table:
            found[section] = {name: value for name, value in table.items() if name != key}
            found.setdefault(kind.option, table[key])
    return found
