"""Find the settings in which plans differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

ABSENT: Final = "–"


def differing_names(plans: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the names of the settings that differ between plans, in the order of the plans.

    A parameter of a component is compared only between the plans that have this component.
    """
    owners = [_owners(settings) for settings in plans]
    differing = []
    for name in dict.fromkeys(name for settings in plans for name in settings):
        owner = name.rpartition(".")[0]
        with_owner = [settings for settings, its in zip(plans, owners, strict=True) if not owner or owner in its]
        if len({settings.get(name, ABSENT) for settings in with_owner}) > 1:
            differing.append(name)
    return tuple(differing)


def _owners(names: Iterable[str]) -> set[str]:
    """Return all beginnings of names that end before a dot, such as "arch" and "arch.unet" for "arch.unet.width"."""
    return {name[:place] for name in names for place, letter in enumerate(name) if letter == "."}
