"""Which built-in components a test can make without a finished run."""

from __future__ import annotations

from marsseg_core.components.finished_runs import UsesRuns
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import Kind
from marsseg_core.registry.loading import load


def standing_alone(kind: Kind) -> list[Entry]:
    """Return the built-in components of a kind except those that use finished runs, which have tests of their own."""
    entries = [entry for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION]
    return [entry for entry in entries if not issubclass(load(entry), UsesRuns)]
