"""The published results: one file for each row, with one line for each run, so that nobody has to train them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

from marsseg_core.files.atomic import write_bytes

from .results import Member
from .rows import Row


def digest_of_data(file: Path, limit: int | None) -> str:
    """Return a hash of the bytes of a file, and of how many of its images are used."""
    with file.open("rb") as content:
        digest = blake2b(content.read(), digest_size=16)
    if limit is not None:
        digest.update(str(limit).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Store:
    """Read and write the results of rows on some data, `folder/TRACK/NAME.jsonl`. `data` is the hash of the data.

    A line holds the budget in seconds, the seed and a `Member`, with the hashes of the plan and of the data that it
    was trained with. Those of an earlier plan or of other data are not read.
    """

    folder: Path
    data: str

    def read(self, row: Row, budget: float) -> list[Member]:
        """Return the runs of a row within a budget, with the seeds 0, 1, 2 and so on."""
        names = [field.name for field in fields(Member)]
        runs = [line for line in self._lines(row) if line["budget"] == budget]
        return [
            Member(**{name: run[name] for name in names})
            for seed, run in enumerate(sorted(runs, key=lambda run: run["seed"]))
            if run["seed"] == seed
        ]

    def write(self, row: Row, budget: float, members: Sequence[Member]) -> None:
        """Store the runs of a row within a budget, in place of earlier ones. Those of an earlier plan are left out."""
        kept = [line for line in self._lines(row) if line["budget"] != budget]
        key = {"plan": row.digest, "data": self.data, "budget": budget}
        lines = [*kept, *(key | {"seed": seed} | asdict(member) for seed, member in enumerate(members))]
        lines.sort(key=lambda line: (line["budget"], line["seed"]))
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        write_bytes(self._file(row), text.encode())

    def _file(self, row: Row) -> Path:
        return self.folder / row.track / f"{row.name}.jsonl"

    def _lines(self, row: Row) -> list[dict[str, Any]]:
        """Return the lines of a row's plan on these data."""
        file = self._file(row)
        lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.is_file() else []
        return [line for line in lines if (line["plan"], line["data"]) == (row.digest, self.data)]
