"""The published results: one file for each row, with one line for each run, so that nobody has to train them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from marsseg_core.files.atomic import write_bytes

from .results import Member
from .rows import Row


@dataclass(frozen=True)
class Store:
    """Read and write the results of rows on some data, `folder/TRACK/NAME.jsonl`. `data` names the data by their hash.

    A line holds the budget in seconds, the seed and a `Member`, with the plan's hash and the data that it was trained
    with. Those of an earlier plan or of other data are not read.
    """

    folder: Path
    data: str

    def read(self, row: Row, budget: float) -> list[Member]:
        """Return the runs of a row within a budget, with the seeds 0, 1, 2 and so on, up to the first gap."""
        names = [field.name for field in fields(Member)]
        runs = {line["seed"]: line for line in self._lines(row) if self._is_own(line, budget)}
        return [Member(**{name: runs[seed][name] for name in names}) for seed in takewhile(runs.__contains__, count())]

    def write(self, row: Row, budget: float, members: Sequence[Member]) -> None:
        """Store the runs of a row within a budget, in place of earlier ones. Those of an earlier plan are left out."""
        kept = [line for line in self._lines(row) if not self._is_own(line, budget)]
        key = {"plan": row.digest, "data": self.data, "budget": budget}
        lines = [*kept, *(key | {"seed": seed} | asdict(member) for seed, member in enumerate(members))]
        lines.sort(key=lambda line: (line["data"], line["budget"], line["seed"]))
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        write_bytes(self._file(row), text.encode())

    def _file(self, row: Row) -> Path:
        return self.folder / row.track / f"{row.name}.jsonl"

    def _lines(self, row: Row) -> list[dict[str, Any]]:
        """Return the lines of a row's plan, also those on other data."""
        file = self._file(row)
        lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.is_file() else []
        return [line for line in lines if line["plan"] == row.digest]

    def _is_own(self, line: dict[str, Any], budget: float) -> bool:
        return (line["data"], line["budget"]) == (self.data, budget)
