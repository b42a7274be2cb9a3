"""What a run folder says of itself, read without its plugins: settings, status, scores and subsets."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError
from ..files.run_folder import FINISHED, RunFolder
from ..files.text import read_text
from ..planning.metrics import MetricTable, metric_table
from ..planning.moved_keys import with_keys_of_today
from ..planning.options import SECTIONS
from ..registry import parameters
from ..registry.kinds import PLAN_KINDS
from ..registry.plugin_files import KEY as PLUGIN_KEY
from .metric_values import metric_values, supplied

UNFINISHED: Final = "broken off or still running"

# They tell the runs of one plan apart.
SEED: Final = "training.seed"
FOLD: Final = "split.fold"

# The numbers do not depend on it.
_WITHOUT_EFFECT: Final = ("training.workers",)


@dataclass(frozen=True, eq=False)
class Record:
    """A run as its folder tells it.

    `settings` has the values of the plan as `--dry-run` names them, without seed and fold; `scores` the scores of
    each subset by name, and `matrices` its confusion matrix, where it was kept; `items` those of each subset of the
    data that `fingerprint`, `classes` (names in their order) and `ignore_classes` (numbers of classes) stand for.
    """

    path: Path
    settings: Mapping[str, str]
    seed: str
    fold: str
    status: str
    scores: Mapping[str, Mapping[str, float | None]]
    matrices: Mapping[str, Any]
    fingerprint: str
    classes: tuple[str, ...]
    ignore_classes: tuple[int, ...]
    items: Mapping[str, tuple[int, ...]]

    @property
    def data(self) -> Hashable:
        """What the scores are scores of: pixels, groups, what the labels mean and, but for a fold, the split."""
        split = tuple(self.items.values()) if self.fold == parameters.NONE_WORD else None
        return self.fingerprint, self.classes, self.ignore_classes, split

    def completed(self, subset: str, table: MetricTable) -> Record:
        """Add the values of metrics that the run did not keep, as far as its confusion matrix has them."""
        known = self.scores[subset]
        more = supplied(known, self.matrices.get(subset), self.classes, self.ignore_classes, table)
        return replace(self, scores={**self.scores, subset: {**known, **more}})

    @property
    def finished(self) -> bool:
        return self.status == FINISHED


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The run folders among `paths` and in those that hold runs or series, each once.

    Raises RequestError for a path with no run in it.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        # A Path's own raises for a name that is too long.
        plans = [path / "plan.toml"] if os.path.isfile(path / "plan.toml") else []
        if not plans and os.path.isdir(path):
            plans = sorted([*path.glob("*/plan.toml"), *path.glob("*/*/plan.toml")])
        if not plans:
            raise RequestError(
                f"'{path}' is no run folder, and there is none in it.", hint="Runs are kept in runs/ by default."
            )
        for plan in plans:
            found.setdefault(plan.parent.resolve(), plan.parent)
    return list(found.values())


def read_record(path: Path) -> Record:
    """The record of a run folder; RequestError names a file that is missing, broken or not as the run wrote it."""
    folder = RunFolder.open(path)
    folder.check_unchanged(folder.plan, folder.split, folder.metrics)
    try:
        settings = _settings(tomllib.loads(read_text(folder.plan)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as cause:
        raise RequestError(f"The plan cannot be read: {cause}.", where=str(folder.plan)) from cause
    metrics: Any = {"status": UNFINISHED, "subsets": {}}
    if folder.metrics.is_file():
        metrics = folder.read_metrics()
    split = folder.read_json(folder.split)
    try:
        scores = {subset: metric_values(kept) for subset, kept in metrics["subsets"].items()}
        matrices = {subset: kept.get("confusion") for subset, kept in metrics["subsets"].items()}
        items = {subset: tuple(split[subset]) for subset in ("train", "validation", "test")}
        status, fingerprint = metrics["status"], split["fingerprint"]
        classes, ignore_classes = tuple(split.get("classes", ())), tuple(sorted(split.get("ignored", ())))
    except (KeyError, TypeError, AttributeError) as cause:
        raise RequestError(f"metrics.json or split.json lacks {cause}.", where=str(path)) from cause
    for subset, values in scores.items():
        for name, value in values.items():
            if value is not None and not (0 <= value <= 1 or metric_table().possible(name, value)):
                raise RequestError(
                    f"metrics.json says {name} = {value:g} of {subset}, which is no score.", where=str(path)
                )
    seed, fold = settings.pop(SEED), settings.pop(FOLD)
    return Record(path, settings, seed, fold, status, scores, matrices, fingerprint, classes, ignore_classes, items)


def _settings(document: Mapping[str, Any]) -> dict[str, str]:
    """A plan file's values by name, in the plan's order; with the version of each distribution it names."""
    found: dict[str, str] = {}
    versions = {f"version.{Path(table['file']).name}": table["sha256"][:12] for table in document.get(PLUGIN_KEY, [])}
    document = with_keys_of_today(document)
    for kind in PLAN_KINDS:
        if kind.option not in document and kind.absent:  # a plan from before there was the kind
            found[kind.option] = kind.absent
            continue
        tables = document[kind.option]
        if isinstance(tables, str):  # a key of before, which held a composition text
            found[kind.option] = tables
            continue
        tables = tables if isinstance(tables, list) else [tables]
        names = [table["name"] for table in tables]
        found[kind.option] = ",".join(names) or parameters.NONE_WORD
        for position, table in enumerate(tables, start=1):
            own = dict(table)
            name, distribution = own.pop("name"), own.pop("distribution")
            versions[f"version.{distribution}"] = own.pop("version")
            path = f"{kind.option}.{position if names.count(name) > 1 else name}"
            found |= {f"{path}.{key}": parameters.to_text(value) for key, value in own.items()}
    for section, options in SECTIONS.items():
        # A plan from before an option was there ran as its default says.
        values = {name: parameter.default for name, parameter in parameters.parameters_of(options).items()}
        for key, value in (values | document.get(section, {})).items():
            found[f"{section}.{key}"] = parameters.to_text(value)
    found |= versions
    return {key: value for key, value in found.items() if key not in _WITHOUT_EFFECT}
