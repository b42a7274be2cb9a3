"""Read the records of a run folder without its plugins: settings, status, scores and subsets."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError
from ..files.documents import checked, read_toml
from ..files.pack import is_pack
from ..files.places import without_folders
from ..files.run_folder import FINISHED, RunFolder, hint_to_runs, is_transductive
from ..files.schema import Items, OneOf, Table, Text
from ..planning.metrics import MetricTable, metric_table
from ..planning.moved_keys import with_current_keys
from ..planning.options import SECTIONS
from ..registry import parameters
from ..registry.kinds import PLAN_KINDS
from ..registry.plugin_files import KEY as PLUGIN_KEY
from .metric_values import metric_values, scores_from_matrix

UNFINISHED: Final = "aborted or still running"

# The settings that differ between the runs of a series.
SEED: Final = "training.seed"
FOLD: Final = "split.fold"

_COMPONENT: Final = Table(required={"name": Text(), "distribution": Text(), "version": Text()})

# A plan as a run writes it, with current keys. A text is a value that was moved from an old key.
_RECORDED_PLAN: Final = Table(
    required={kind.option: OneOf(Items(_COMPONENT), _COMPONENT, Text()) for kind in PLAN_KINDS if not kind.absent},
    optional={
        **{kind.option: OneOf(Items(_COMPONENT), _COMPONENT, Text()) for kind in PLAN_KINDS if kind.absent},
        **dict.fromkeys(SECTIONS, Table()),
        PLUGIN_KEY: Items(Table(required={"file": Text(), "sha256": Text()})),
    },
)

# The setting that names files whose content no other setting, nor the record of the data, identifies. Of all others,
# the last part of a path is enough: the same data may lie elsewhere on another machine, or be named by a pack.
_KNOWN_BY_PATH: Final = ("training.unlabelled",)

# Settings that do not change the results.
_WITHOUT_EFFECT: Final = ("training.workers", "training.worker_kind", "training.precision_from")


@dataclass(frozen=True, eq=False)
class Record:
    """A run as recorded in its folder.

    Attributes:
        path: the run folder, or what messages call a run in a pack
        settings: the values of the plan, by the names that `--dry-run` shows, without seed and fold
        seed: the seed, as text
        fold: the fold, as text
        status: the status in metrics.json, or UNFINISHED
        scores: the scores of each subset by name; None is an undefined score
        matrices: the confusion matrix (K, K) of each subset; None if it was not recorded
        fingerprint: the hash of the data
        classes: the names of the classes, in order
        ignore_classes: the numbers of the ignored classes
        items: the positions of the items of each subset
        names: the names of the items of each subset; empty if the items have no names
        source: what messages call the data
        transductive: whether the run learned from images of its validation and test subsets, without their labels
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
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    source: str = ""
    transductive: bool = False

    @property
    def data(self) -> Hashable:
        """Return the identity of the data: two runs with equal values were scored on the same data.

        It consists of the fingerprint (pixels and groups), the classes, the ignored classes and, except for a fold, the
        items of the subsets.
        """
        split = tuple(self.items.values()) if self.fold == parameters.NONE_WORD else None
        return self.fingerprint, self.classes, self.ignore_classes, split

    def scored_on(self, subset: str) -> Hashable:
        """Return what is equal for two runs whose scores of a subset are those of the same items of the same data."""
        return self.fingerprint, self.classes, self.ignore_classes, self.items[subset]

    def why_unscored(self, subset: str) -> str:
        """Return why the run has no scores of a subset that can be compared; an empty text if it has them."""
        if not self.finished:
            return self.status
        return "" if subset in self.scores else f"the {subset} subset was not scored"

    def completed(self, subset: str, table: MetricTable) -> Record:
        """Return the record with scores added that the run did not record, computed from its confusion matrix."""
        known = self.scores[subset]
        matrix = self.matrices.get(subset)
        more = scores_from_matrix(known, matrix, self.classes, self.ignore_classes, table)
        return replace(self, scores={**self.scores, subset: {**known, **more}})

    @property
    def finished(self) -> bool:
        """Return whether the run ended normally."""
        return self.status == FINISHED


def find_runs(paths: Iterable[Path]) -> list[RunFolder]:
    """Find all runs in `paths`, without duplicates. A path may be a run folder or a pack, or contain runs or series.

    Raises RequestError for a path that contains no run, or a pack that is not as a pack must be.
    """
    folders: dict[Path, RunFolder] = {}
    for path in paths:
        if is_pack(path):
            folders |= {run.path.resolve(): run for run in RunFolder.open_all(path)}
            continue
        # os.path.isfile, because Path.is_file raises for a name that is too long.
        plans = [path / "plan.toml"] if os.path.isfile(path / "plan.toml") else []
        if not plans and os.path.isdir(path):
            plans = sorted([*path.glob("*/plan.toml"), *path.glob("*/*/plan.toml")])
        if not plans:
            missing = ", and contains none" if os.path.lexists(path) else ": there is no such file or folder"
            raise RequestError(f"'{path}' is not a run folder{missing}.", hint=hint_to_runs())
        for plan in plans:
            folders.setdefault(plan.parent.resolve(), RunFolder(plan.parent))
    return list(folders.values())


@dataclass(frozen=True)
class RecordedSplit:
    """What split.json says of the data; the attributes are those of `Record`."""

    fingerprint: str
    classes: tuple[str, ...]
    ignore_classes: tuple[int, ...]
    items: Mapping[str, tuple[int, ...]]
    names: Mapping[str, frozenset[str]]
    source: str
    transductive: bool


def read_record(run: RunFolder | Path, splits: dict[str, RecordedSplit] | None = None) -> Record:
    """Read the record of a run; RequestError names a file that is missing, broken or changed after the run.

    `splits` has the splits that were read for other runs, by the hash of their file: runs on the same data share one,
    so that a thousand of them do not need a thousand lists of the same items.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    path = Path(folder.title)
    folder.check_unchanged(folder.plan, folder.split, folder.metrics)
    settings = _settings(checked(with_current_keys(read_toml(folder.plan)), _RECORDED_PLAN, folder.plan.name, path))
    metrics: Any = {"status": UNFINISHED, "subsets": {}}
    if folder.metrics.is_file():
        metrics = folder.read_metrics()
    split = _read_split(folder, {} if splits is None else splits)
    scores = {subset: metric_values(recorded) for subset, recorded in metrics["subsets"].items()}
    matrices = {subset: recorded.get("confusion") for subset, recorded in metrics["subsets"].items()}
    for subset, values in scores.items():
        for name, value in values.items():
            if value is not None and not (0 <= value <= 1 or metric_table().possible(name, value)):
                raise RequestError(
                    f"metrics.json has {name} = {value:g} for {subset}, which is not a possible score.",
                    where=str(path),
                )
    seed, fold = settings.pop(SEED), settings.pop(FOLD)
    data = split.fingerprint, split.classes, split.ignore_classes, split.items, split.names, split.source
    return Record(
        path, settings, seed, fold, metrics["status"], scores, matrices, *data, transductive=split.transductive
    )


def _read_split(folder: RunFolder, splits: dict[str, RecordedSplit]) -> RecordedSplit:
    """Return the split of a run; read it, and add it to `splits`, if no other run had the same."""
    key = folder.split_hash()
    if key is None or key not in splits:
        content = folder.read_split()  # raises an error that says why, if the file cannot be read
        items = {subset: tuple(content[subset]) for subset in ("train", "validation", "test")}
        facts = content["fingerprint"], tuple(content["classes"]), tuple(sorted(content["ignored"]))
        names = _names(content, items, folder.path)
        split = RecordedSplit(*facts, items, names, content["source"], is_transductive(content))
        if key is None:
            return split
        splits[key] = split
    return splits[key]


def _names(split: Mapping[str, Any], items: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, frozenset[str]]:
    """Return the names of the items of each subset; without any subset if the items have no names."""
    names = split.get("names")
    if names is None:
        return {}
    if (highest := max(max(subset, default=-1) for subset in items.values())) >= len(names):
        raise RequestError(f"split.json: names must have a name for item {highest}.", where=str(path))
    return {subset: frozenset(names[item] for item in indices) for subset, indices in items.items()}


def _settings(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a recorded plan by name, in order, and after them the versions of its distributions."""
    settings: dict[str, str] = {}
    versions = {f"version.{Path(table['file']).name}": table["sha256"][:12] for table in document.get(PLUGIN_KEY, [])}
    for kind in PLAN_KINDS:
        if kind.option not in document and kind.absent:  # the plan is older than the kind
            settings[kind.option] = kind.absent
            continue
        tables = document[kind.option]
        if isinstance(tables, str):  # moved from an old key that contained a composition text
            settings[kind.option] = tables
            continue
        tables = tables if isinstance(tables, list) else [tables]
        names = [table["name"] for table in tables]
        settings[kind.option] = ",".join(names) or parameters.NONE_WORD
        for position, table in enumerate(tables, start=1):
            values = dict(table)
            name, distribution = values.pop("name"), values.pop("distribution")
            versions[f"version.{distribution}"] = values.pop("version")
            path = f"{kind.option}.{position if names.count(name) > 1 else name}"
            settings |= {f"{path}.{key}": parameters.to_text(without_folders(value)) for key, value in values.items()}
    for section, options in SECTIONS.items():
        # If the plan is older than an option, the run behaved as with the default.
        values = {name: parameter.default for name, parameter in parameters.parameters_of(options).items()}
        for key, value in (values | document.get(section, {})).items():
            name = f"{section}.{key}"
            settings[name] = parameters.to_text(value if name in _KNOWN_BY_PATH else without_folders(value))
    settings |= versions
    return {key: value for key, value in settings.items() if key not in _WITHOUT_EFFECT}
