"""Record the finished runs that a component of a plan uses: absolute paths, hashes, and what their networks need."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ..components.finished_runs import UsesRuns
from ..files.run_folder import RunFolder
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.parameters import NONE_WORD, parameters_of
from .plan import NETWORK_KINDS

# Joins several run folders in a composition, where a comma separates components.
JOINT: Final = "+"

# In a setting, they may also be separated as the items of other lists are.
_JOINTS: Final = r"([+,])"

_RECORDS: Final = ("run_hashes", "run_components")


def recorded_runs(
    cls: type[UsesRuns],
    values: Mapping[str, Any],
    origins: Mapping[str, str],
    components_of: Callable[[Path], tuple[str, ...]],
) -> dict[str, Any]:
    """Return the values of a component's parameters that name its runs and record what they were.

    The records belong to the runs that the same layer of the plan names; those of other runs are replaced. A plan that
    has its records is read without the run folders.

    Args:
        cls: the component
        values: the values of its parameters, as text or TOML
        origins: the layer of each value
        components_of: returns the qualified names of the components of a run's network

    Raises:
        RequestError: a folder is no run folder, or has no network
    """
    given = values.get(cls.run_parameter)
    if given == NONE_WORD:
        return {name: [] for name in _RECORDS}
    if not given:
        return {}
    several = not isinstance(given, str)
    single = not several and parameters_of(cls)[cls.run_parameter].type is str
    paths = [given] if single else list(given) if several else list(_split(given))
    paths = [os.path.abspath(os.path.expanduser(str(path))) for path in paths]
    changed = {cls.run_parameter: paths[0] if single else paths}
    origin = origins[cls.run_parameter]
    if len(values.get(_RECORDS[0], ())) == len(paths) and all(origins.get(name) == origin for name in _RECORDS):
        return changed
    hashes = [RunFolder.open(path).network_hash() for path in paths]
    components = dict.fromkeys(name for path in paths for name in components_of(Path(path)))
    return changed | dict(zip(_RECORDS, (hashes, list(components)), strict=True))


def _split(text: str) -> Iterator[str]:
    """Yield the paths of a text such as "runs/a+runs/b". A folder whose own name has a joint is found as well."""
    pieces = re.split(_JOINTS, text)  # paths and joints alternate
    while pieces:
        ends = range(len(pieces), 0, -2)
        end = next((end for end in ends if os.path.isdir("".join(pieces[:end]))), 1)
        yield "".join(pieces[:end])
        pieces = pieces[end + 1 :]


def record_of(entry: Entry) -> str:
    """Return how a plan records a component of a run's network, such as "arch.marsseg/unet"."""
    return f"{entry.kind.option}.{entry.qualified_name}"


def recorded_entries(component: UsesRuns, catalog: Catalog) -> Iterator[Entry]:
    """Yield the entries of the components that the networks of a component's runs were built from."""
    for name in component.run_components:
        option, _, qualified_name = name.partition(".")
        kind = next((kind for kind in NETWORK_KINDS if kind.option == option), kinds.ARCHITECTURE)
        yield catalog.find(kind, qualified_name, where=f"{component.run_parameter}, run_components")
