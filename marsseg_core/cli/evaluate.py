"""`marsseg evaluate`: every score of finished runs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..networks.startup import check_backend
from ..registry.kinds import DATASET, METRIC
from ..registry.session import open_session
from .common_options import Plugins, Trust, Tta
from .completion import composition, fixed
from .loading import load_keras
from .output import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..inference.scoring import Score


def evaluate(
    runs: Annotated[list[str], typer.Argument(help="Run folders.", metavar="RUN…", show_default=False)],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Another data set, or a file; given several times, each is a column.",
            metavar="NAME|PATH",
            autocompletion=composition(DATASET, ".npz"),
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all; test, or all of another data set.",
            metavar="PART",
            autocompletion=fixed("train", "validation", "test", "all"),
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Metrics to compute and show besides: boundary_iou, dice, …",
            metavar="NAME[:KEY=VALUE]…",
            autocompletion=composition(METRIC),
        ),
    ] = None,
    tta: Tta = False,
    plugin: Plugins = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score runs side by side, over all and for each class.

    A subset is exactly what the run kept for it; data that has changed since is refused. Images of another size than
    the network's are predicted as `marsseg predict` does.
    """
    from ..inference.ensemble import open_runs
    from ..inference.image_sources import ALL, check_subset

    check_backend()
    check_subset(subset)
    subset = subset or (ALL if data else "test")
    opened = [open_runs([run])[0][0] for run in runs]
    session = open_session(plugins=plugin, trust=trust)
    load_keras()
    from ..inference.scoring import score_runs

    scores = score_runs(opened, data or [None], subset, session, metrics=metrics, tta=tta)
    if json:
        named = [{"run": score.run, "data": score.data, "subset": score.subset} for score in scores]
        print_json(scores=[name | score.confusion.to_json() for name, score in zip(named, scores, strict=True)])
    else:
        _print_scores(scores)


def _print_scores(scores: list[Score]) -> None:
    columns = _columns(scores)
    records = [score.confusion.to_json() for score in scores]
    rows = []
    for key in dict.fromkeys(chain(*records)):
        if not any(score.table.shows(key) for score in scores):
            continue
        shape = next(record[key] for record in records if key in record)
        if key == "per_class":
            rows += _rows_per_class([record.get(key, {}) for record in records], scores)
        elif isinstance(shape, dict):
            classes = dict.fromkeys(name for record in records for name in record[key])
            rows += [(f"{key} {name}", *(_cell(record[key].get(name, "")) for record in records)) for name in classes]
        elif not isinstance(shape, list):
            rows.append((key, *(_cell(record.get(key, "")) for record in records)))
    print_table(("score", *columns), rows, right=columns)
    if len(scores) == 1:
        _print_matrix(scores[0])
    print_text()
    for score in scores:
        print_text(f"{score.run}: {score.subset} of {score.data}")


def _rows_per_class(found: list[dict[str, dict[str, Any]]], scores: list[Score]) -> list[tuple[str, ...]]:
    """The classes' values of metrics that were asked for."""
    words = [word for word in dict.fromkeys(chain(*found)) if any(score.table.shows(f"{word}_") for score in scores)]
    return [
        (f"{word} {name}", *(_cell(each.get(word, {}).get(name, "")) for each in found))
        for word in words
        for name in dict.fromkeys(chain(*(each.get(word, {}) for each in found)))
    ]


def _columns(scores: list[Score]) -> tuple[str, ...]:
    """What tells the columns apart: the run, the data, both; or the subset where there is one column."""
    several = [len({getattr(score, name) for score in scores}) > 1 for name in ("run", "data")]
    if len(scores) == 1 or not any(several):
        return tuple(score.subset for score in scores)
    return tuple(
        " on ".join(name for name, wanted in zip((score.run, score.data), several, strict=True) if wanted)
        for score in scores
    )


def _print_matrix(score: Score) -> None:
    """Each class that counts, and what its pixels were taken for."""
    counted = score.confusion.counted
    names = tuple(score.confusion.class_names[c] for c in counted)
    matrix = score.confusion.restricted[counted][:, counted]
    print_text()
    rows = [
        (name, *(f"{100 * count / row.sum():.1f} %" if row.sum() else "" for count in row))
        for name, row in zip(names, matrix, strict=True)
    ]
    print_table(("truth, taken for", *names), rows, right=names)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "undefined" if value is None else f"{value:,}" if isinstance(value, int) else value
