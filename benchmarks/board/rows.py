"""The rows of the leaderboard: one plan file each, in a folder for each track."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

MOST_PARAMETERS: Final = 500_000
"""Hold the limit of the track `small`."""

TRACKS: Final = {
    "scratch": "From scratch: labelled images only, random initial weights.",
    "pretrained": "Pretrained: initial weights from other images.",
    "unlabelled": "With the data's images without labels; for comparison, the same plans of `scratch`.",
    "small": f"At most {MOST_PARAMETERS:,} parameters, labelled images only, random initial weights.",
}

# The track whose rows are also compared in `small`, if they are small enough, and in `unlabelled`, if a row there is
# the same plan with a method.
SCRATCH: Final = "scratch"
SMALL: Final = "small"
PRETRAINED: Final = "pretrained"
UNLABELLED: Final = "unlabelled"


@dataclass(frozen=True)
class Row:
    """One row: a plan that is trained on a track."""

    track: str
    plan: Path

    @property
    def name(self) -> str:
        """Return the name of the plan file, without its suffix."""
        return self.plan.stem

    @property
    def document(self) -> dict[str, Any]:
        """Return the plan as it was written, without its summary."""
        document = tomllib.loads(self.plan.read_text(encoding="utf-8"))
        return {key: value for key, value in document.items() if key != "summary"}

    @property
    def digest(self) -> str:
        """Return a hash of the plan, whatever its summary."""
        return blake2b(json.dumps(self.document, sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def without_method(self) -> dict[str, Any]:
        """Return the plan as it was written, without its summary and its semi-supervised method."""
        return {key: value for key, value in self.document.items() if key not in ("semi", "unlabelled")}

    def __str__(self) -> str:
        return f"{self.track}/{self.name}"


def find_rows(folder: Path, tracks: Sequence[str] = tuple(TRACKS), only: Collection[str] = ()) -> list[Row]:
    """Return the rows of a folder of plan files, track by track; with `only`, those with one of these names."""
    rows = [Row(track, plan) for track in tracks for plan in sorted((folder / track).glob("*.toml"))]
    return [row for row in rows if not only or row.name in only]
