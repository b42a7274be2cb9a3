"""Train the plans of the leaderboard within budgets of processor time, and write their scores as tables.

    python benchmarks/leaderboard.py FILE.npz [--out runs/leaderboard] [--budget 300 1800] [--seeds 3] [--finalists 2]
        [--track scratch small] [--only NAME] [--limit N] [--page FILE.md] [--publish] [--stored]

Each row is a plan file, `benchmarks/leaderboard/TRACK/NAME.toml`. To add a row, add a file
(`benchmarks/leaderboard/README.md`). The data are FILE, with its groups as places, and one split. A budget is in
processor seconds (`benchmarks/board/budget.py`). Each row is trained with seed 0. The `--finalists` best rows of each
table, by the validation subset, are trained with `--seeds` seeds.

Runs whose results are published (`benchmarks/leaderboard/results`) are not trained again. `--publish` adds the results
of the new ones there. `--stored` trains nothing: it writes the tables of what is published.

Runs are in `--out`, so an interrupted leaderboard goes on when the same command is called again. What is there is not
trained again either, even if marsseg has another version: then use another `--out`. The tables are written after each
row: leaderboard.html into `--out`, the Markdown page to `--page`, by default leaderboard.md in `--out`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from board.budget import epochs_within, fewer_epochs, least_seconds, read_seconds
from board.results import Member, Result, read_member
from board.rows import MOST_PARAMETERS, SMALL, TRACKS, Row, find_rows
from board.rules import broken_rule
from board.store import Store
from board.tables import budget_text, to_html, to_markdown, tracks_of
from board.train import OVERRIDES, SETTINGS, Task

import marsseg_core as marsseg
from marsseg_core.errors import MarssegError
from marsseg_core.files.atomic import write_bytes
from marsseg_core.files.hashed import file_hash
from marsseg_core.registry.kinds import METHOD

HERE: Final = Path(__file__).parent

# A number of epochs that can be divided into 1 to 10 equal rounds, for a first look at a plan.
_DIVISIBLE: Final = 2520

# Beside the runs of a row: the processor seconds of a second training that is as long.
_AGAIN: Final = "again-seconds.json"


class RowError(Exception):
    """A row that cannot be trained, or is against the rules of its track."""


class NotTrainedError(Exception):
    """A row without a published result, where nothing is trained."""


@dataclass
class Leaderboard:
    """Train rows and keep their results.

    Attributes:
        data: the specification of the data
        out: the folder for the runs and the HTML page
        page: the file for the Markdown page
        command: the command that the pages show
        store: the published results
        publish: whether new results are added to them
        train: whether anything is trained
        seeds: how many seeds a finalist has
        finalists: how many rows of each table are finalists
        results: those of each budget in seconds
        failed: why rows failed
        missing: the rows of each budget that are not trained yet
        incomplete: the finalists of each budget that do not have all seeds yet
    """

    data: str
    out: Path
    page: Path
    command: str
    store: Store
    publish: bool = False
    train: bool = True
    seeds: int = 3
    finalists: int = 2
    results: dict[float, list[Result]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    missing: dict[float, list[str]] = field(default_factory=dict)
    incomplete: dict[float, list[str]] = field(default_factory=dict)

    def run(self, rows: Sequence[Row], budgets: Sequence[float]) -> None:
        """Train each row with one seed, then the finalists of each table with all seeds."""
        for budget in budgets:
            self.results[budget] = []
            for row in rows:
                if str(row) not in self.failed:
                    self._add(row, budget, 1)
            tables = tracks_of({budget: self.results[budget]}).values() if self.seeds > 1 else []
            best = [sorted(table, key=lambda each: -each.validation)[: self.finalists] for table in tables]
            finalists = dict.fromkeys(result.row for table in best for result in table)
            if not self.train:
                few = [each.row for each in self.results[budget] if len(each.members) < self.seeds]
                self.incomplete[budget] = [str(row) for row in finalists if row in few]
            for row in finalists:
                self._add(row, budget, self.seeds)

    def _add(self, row: Row, budget: float, seeds: int) -> None:
        """Get a row with at least so many seeds, and write the tables."""
        try:
            result = Result(row, tuple(self._members(row, budget, seeds)))
        except NotTrainedError:
            self.missing.setdefault(budget, []).append(str(row))
        except RowError as failure:
            self.failed[str(row)] = str(failure)
            print(f"{row}: failed: {failure}", flush=True)
        else:
            self.results[budget] = [each for each in self.results[budget] if each.row != row] + [result]
            print(f"{row}: {result.miou:.3f} in {result.minutes:.1f} min, {len(result.members)} run(s)", flush=True)
        tables, notes = tracks_of(self.results), [f"Failed: {name}: {reason}" for name, reason in self.failed.items()]
        for what, rows in (("Not trained yet", self.missing), ("Further seeds not trained yet", self.incomplete)):
            notes += [f"{what}, {budget_text(b)}: {', '.join(names)}." for b, names in rows.items() if names]
        write_bytes(self.page, to_markdown(tables, notes, self.command).encode())
        write_bytes(self.out / "leaderboard.html", to_html(tables, notes, self.command).encode())

    def _members(self, row: Row, budget: float, seeds: int) -> list[Member]:
        """Return the runs of a row: the published ones, and as many more as are missing of `seeds`."""
        published = self.store.read(row, budget)[: self.seeds]
        if len(published) >= seeds or (published and not self.train):
            return published
        if not self.train:
            raise NotTrainedError
        epochs, first = (published[0].epochs, published[0]) if published else self._first(row, budget)
        others = [self._member(row, budget, epochs, seed) for seed in range(max(1, len(published)), seeds)]
        members = [*(published or [first]), *others]
        if self.publish:
            self.store.write(row, budget, members)
        return members

    def _first(self, row: Row, budget: float) -> tuple[int, Member]:
        """Return the number of epochs that fits the budget, and the run with seed 0 of so many epochs."""
        rounds = _rounds_of(row)
        seconds = self._folder(row) / "timing.json"
        if len(read_seconds(seconds)) < 2 * rounds:
            print(f"{row}: timing the first epochs", flush=True)
            _process(Task(str(row.plan), self.data, 0, 2 * rounds, str(seconds)), row)
        epochs = epochs_within(budget, read_seconds(seconds), rounds)
        member = self._member(row, budget, epochs, 0)
        # Epochs may take longer later on, for example when an encoder is not frozen any more.
        while fewer := fewer_epochs(budget, epochs, member.seconds, rounds):
            again = self._run_folder(row, budget, epochs) / _AGAIN
            if len(read_seconds(again)) == epochs:
                epochs = fewer
            else:
                print(f"{row}: {epochs} epochs took {member.seconds:.0f} s: timing them again", flush=True)
                _process(Task(str(row.plan), self.data, 0, epochs, str(again)), row)
            member = self._member(row, budget, epochs, 0)
        return epochs, member

    def _folder(self, row: Row) -> Path:
        """Return the folder for the runs of a row: its own for each plan, whatever the summary, and for each data."""
        return self.out / str(row) / row.digest / self.store.data

    def _run_folder(self, row: Row, budget: float, epochs: int) -> Path:
        """Return the folder for the runs of a row with so many epochs."""
        return self._folder(row) / f"{budget:g}s" / f"{epochs}-epochs"

    def _member(self, row: Row, budget: float, epochs: int, seed: int) -> Member:
        """Return one run of a row; train it unless it is finished."""
        folder = self._run_folder(row, budget, epochs)
        folder.mkdir(parents=True, exist_ok=True)
        run, seconds, answer = (folder / f"seed-{seed}{end}" for end in ("", "-seconds.json", ".json"))

        def read() -> Member | None:
            return read_member(run, least_seconds(read_seconds(seconds), read_seconds(folder / _AGAIN)), answer)

        member = read()
        if member is None:
            print(f"{row}: {epochs} epochs, seed {seed}", flush=True)
            _process(Task(str(row.plan), self.data, seed, epochs, str(seconds), str(run), str(answer)), row)
            member = read()
        if member is None:
            raise RowError("the run was interrupted")
        parameters = member.measured["parameters"]
        if row.track == SMALL and parameters > MOST_PARAMETERS:
            raise RowError(f"{parameters:,} parameters are more than the {MOST_PARAMETERS:,} of the track")
        return member


def _rounds_of(row: Row) -> int:
    """Return the number of equal parts of a row's training, after a look at the rules that its plan must keep."""
    words: Any = SETTINGS | {"data": "synthetic", "epochs": _DIVISIBLE}
    try:
        plan = marsseg.plan(row.plan, **words, overrides=OVERRIDES)
    except MarssegError as error:
        raise RowError(" ".join(str(error).split())) from error
    if rule := broken_rule(plan, row.track):
        raise RowError(rule)
    return max((each.component.labelling_rounds for each in plan.resolved[METHOD]), default=1)


def _process(task: Task, row: Row) -> None:
    """Do a task in a process of its own, whose output goes to a log."""
    log = Path(task.seconds).with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        command = [sys.executable, "-m", "board.train", task.to_json()]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        code = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        last = log.read_text().strip().splitlines()[-1:] or [f"exit code {code}"]
        raise RowError(f"{last[0]} (the log of {row}: {log.name})")


def _command(options: argparse.Namespace) -> str:
    """Return the command that the tables show: this one, without what it writes where."""
    words = ["python", "benchmarks/leaderboard.py", options.file.name, "--budget", *(f"{b:g}" for b in options.budget)]
    words += ["--seeds", str(options.seeds), "--finalists", str(options.finalists)]
    words += ["--track", *options.track] if options.track != list(TRACKS) else []
    words += ["--only", *options.only] if options.only else []
    words += ["--limit", str(options.limit)] if options.limit else []
    return shlex.join(words)


def main() -> None:
    """Read the command line, and run the leaderboard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/leaderboard"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--stored", action="store_true")
    parser.add_argument("--budget", type=float, nargs="+", default=[300.0, 1800.0], metavar="SECONDS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--finalists", type=int, default=2)
    parser.add_argument("--track", nargs="+", choices=TRACKS, default=list(TRACKS))
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--limit", type=int, help="use only so many images, to try the script")
    options = parser.parse_args()
    plans = HERE / "leaderboard"
    rows = find_rows(plans, options.track, options.only)
    if not rows:
        parser.error("no plan file fits --track and --only")
    if not options.file.is_file():
        parser.error(f"{options.file} is not a file")
    limit = f":limit={options.limit}" if options.limit else ""
    board = Leaderboard(
        f"npz:path={options.file.resolve()}{limit}",
        options.out,
        options.page or options.out / "leaderboard.md",
        _command(options),
        Store(plans / "results", file_hash(options.file) + limit.replace(":", "-")),
        publish=options.publish,
        train=not options.stored,
        seeds=options.seeds,
        finalists=options.finalists,
    )
    board.run(rows, options.budget)
    print(f"Tables: {board.page} and {board.out / 'leaderboard.html'}")
    sys.exit(1 if board.failed else 0)


if __name__ == "__main__":
    main()
