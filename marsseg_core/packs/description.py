"""Describe runs for a pack: what their networks need and predict, and how well, from what the run folders record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..conventions import HEADLINE
from ..errors import RequestError
from ..figures.colours import class_colours, hex_code
from ..files.documents import read_toml
from ..files.places import without_folders
from ..files.run_folder import RunFolder
from ..inference.ensemble import open_runs
from ..messages import get_logger
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import NETWORK_KINDS
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.distribution import version
from ..registry.plugin_files import KEY as PLUGIN_KEY
from ..registry.session import Session
from ..runs.preparation import preparation_of
from ..runs.recorded_data import recorded_scaling
from ..runs.records import read_record

_logger = get_logger(__name__)


@dataclass(frozen=True)
class Statement:
    """What the maker of a pack says of it, since no run records it; None is unknown.

    Attributes:
        licence: the licence of the networks, as an identifier such as cc-by-4.0
        data_licence: the licence of the data that they were trained on
        data_source: who made the data, and where they are
    """

    licence: str | None = None
    data_licence: str | None = None
    data_source: str | None = None


def open_for_pack(paths: Sequence[str]) -> list[RunFolder]:
    """Open the runs of a pack. Raises RequestError where a run is not finished, was changed, or has plugin files."""
    runs, _ = open_runs(paths)
    for run in runs:
        if not run.finished:
            raise RequestError(
                "The run is not finished: it has no final scores.",
                where=run.title,
                hint=f"Finish it first: marsseg run --resume {run.title}",
            )
        run.check_unchanged()
        if PLUGIN_KEY in read_toml(run.plan):
            raise RequestError(
                "The run uses plugin files. A pack holds no code, since nothing in it is executed.",
                where=run.title,
                hint="Make a package of the file (marsseg new-plugin), install it, and train again.",
            )
    if len({run.read_split()["fingerprint"] for run in runs}) > 1:
        raise RequestError("The runs were trained on different data.", hint="Make a pack of each.")
    return runs


def describe(name: str, runs: Sequence[RunFolder], session: Session, statement: Statement) -> dict[str, Any]:
    """Return the description of a pack of these runs, without what only their networks tell.

    Every value comes from the run folders or from `statement`.
    """
    split = runs[0].read_split()
    colours = class_colours(split["classes"], own_colours=runs[0].class_colours())
    return {
        "schema": 1,
        "name": name,
        "marsseg": version(),
        "licence": statement.licence,
        "classes": [
            {"name": each, "colour": hex_code(colour), "ignored": number in split["ignored"]}
            for number, (each, colour) in enumerate(zip(split["classes"], colours, strict=True))
        ],
        "data": {
            "source": without_folders(split["source"]),
            "fingerprint": split["fingerprint"],
            "made_by": statement.data_source,
            "licence": statement.data_licence,
        },
        "runs": [_run(run, session, metric_table(session.catalog)) for run in runs],
    }


def _run(run: RunFolder, session: Session, table: MetricTable) -> dict[str, Any]:
    plan = resolve(Request(base=str(run.path)), session, only=NETWORK_KINDS)
    components = [each for kind in NETWORK_KINDS for each in plan.resolved[kind]]
    entries = [each.entry for component in components for each in component.with_inner]
    scaling, record = recorded_scaling(run), read_record(run.path)
    return {
        "name": plan.name,
        "components": {
            kind.option: [each.entry.qualified_name for each in plan.resolved[kind]] for kind in NETWORK_KINDS
        },
        "scaling": None if scaling is None else scaling.to_json(),
        "preparation": preparation_of(run, session, "So the pack does not say how images were prepared.")[1],
        "items": {subset: len(items) for subset, items in record.items.items()},
        "scores": {subset: _scores(values, table) for subset, values in record.scores.items()},
        "needs": {"marsseg": version()} | {entry.distribution: entry.version for entry in entries},
        **({"transductive": True} if record.transductive else {}),
    }


def _scores(values: Mapping[str, float | None], table: MetricTable) -> list[dict[str, Any]]:
    """Return the scores of metrics, the main one first, and those of classes that tables show.

    What a score means is said with it: there are several readings of mean IoU, for example.
    """
    shown = [name for name in values if name in table.resolved or table.shows(name)]
    return [
        {
            "score": name,
            "reading": table.label(name) if name in table.resolved else table.spaced(name),
            "explanation": table.explanation(name) if name in table.resolved else _of_class(name, table),
            "value": values[name],
        }
        for name in sorted(shown, key=lambda name: (name != HEADLINE, name not in table.resolved))
    ]


def _of_class(score: str, table: MetricTable) -> str:
    """Return what the score of a class is; empty where its metric is not installed."""
    metric = table.of(score)
    if metric is None:
        return ""
    word = metric.component.per_class
    return f"{word} of the class {score.removeprefix(f'{word}_')} alone; see {table.label(metric.entry.name)}."
