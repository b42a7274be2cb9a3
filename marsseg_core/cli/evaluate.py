"""`marsseg evaluate`: score finished runs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..networks.startup import check_backend
from ..registry.kinds import DATASET, METRIC
from ..registry.session import open_session
from .common_options import Decoding, Engine, Plugins, Trust, Tta
from .completion import composition, fixed
from .loading import load_keras
from .output import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..inference.scoring import Score


def evaluate(
    runs: Annotated[list[str], typer.Argument(help="Run folders or packs.", metavar="RUN…", show_default=False)],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Another data set, or a file. Repeat the option for several; each is one column.",
            metavar="NAME|PATH",
            autocompletion=composition(DATASET, ".npz"),
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all. Default: test, or all items of another data set.",
            metavar="SUBSET",
            autocompletion=fixed("train", "validation", "test", "all"),
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Further metrics to compute and show: boundary_iou, dice, …",
            metavar="NAME[:KEY=VALUE]…",
            autocompletion=composition(METRIC),
        ),
    ] = None,
    tta: Tta = None,
    decoding: Decoding = "run",
    engine: Engine = "keras",
    plugin: Plugins = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score runs side by side, over all classes and for each class.

    The subsets are those of the run. If the data have changed since the run, they are refused. Images of another size
    than the network's are predicted in tiles, as by `marsseg predict`.
    """
    from ..export.exporters import find_engine
    from ..inference.ensemble import open_runs
    from ..inference.image_sources import ALL, check_subset

    check_backend()
    check_subset(subset)
    subset = subset or (ALL if data else "test")
    folders = [folder for run in runs for folder in open_runs([run])[0]]
    session = open_session(plugins=plugin, trust=trust)
    runtime = find_engine(engine, session.catalog)
    load_keras()
    from ..inference.scoring import score_runs

    scores = score_runs(
        folders, data or [None], subset, session, metrics=metrics, tta=tta, decoding=decoding, engine=runtime
    )
    if json:
        sources = [
            {"run": score.run, "data": score.data, "subset": score.subset}
            | ({"decoding": _decoding(score)} if score.decoding.offsets else {})
            | ({"tta": True} if score.tta else {})
            for score in scores
        ]
        print_json(scores=[source | score.confusion.to_json() for source, score in zip(sources, scores, strict=True)])
    else:
        _print_scores(scores)


def _print_scores(scores: list[Score]) -> None:
    columns = _columns(scores)
    records = [score.confusion.to_json() for score in scores]
    rows = []
    for key in dict.fromkeys(chain(*records)):
        if not any(score.table.shows(key) for score in scores):
            continue
        example = next(record[key] for record in records if key in record)
        if key == "per_class":
            rows += _rows_per_class([record.get(key, {}) for record in records], scores)
        elif isinstance(example, dict):
            classes = dict.fromkeys(name for record in records for name in record[key])
            rows += [(f"{key} {name}", *(_cell(record[key].get(name, "")) for record in records)) for name in classes]
        elif not isinstance(example, list):
            rows.append((key, *(_cell(record.get(key, "")) for record in records)))
    print_table(("score", *columns), rows, right=columns)
    if len(scores) == 1:
        _print_matrix(scores[0])
    print_text()
    for score in scores:
        offsets = f", decoding: {_decoding(score)}" if score.decoding.offsets else ""
        flips = ", test-time augmentation" if score.tta else ""
        print_text(f"{score.run}: {score.subset} of {score.data}{offsets}{flips}")


def _decoding(score: Score) -> str:
    return score.decoding.describe(score.confusion.class_names)


def _rows_per_class(values: list[dict[str, dict[str, Any]]], scores: list[Score]) -> list[tuple[str, ...]]:
    """Make the rows of the requested metrics with a value for each class: one row for each metric and class."""
    words = [word for word in dict.fromkeys(chain(*values)) if any(score.table.shows(f"{word}_") for score in scores)]
    return [
        (f"{word} {name}", *(_cell(each.get(word, {}).get(name, "")) for each in values))
        for word in words
        for name in dict.fromkeys(chain(*(each.get(word, {}) for each in values)))
    ]


def _columns(scores: list[Score]) -> tuple[str, ...]:
    """Name the columns by the run, the data or both, whichever differ; a single column by its subset."""
    differ = [len({getattr(score, name) for score in scores}) > 1 for name in ("run", "data")]
    if len(scores) == 1 or not any(differ):
        return tuple(score.subset for score in scores)
    return tuple(
        " on ".join(name for name, differs in zip((score.run, score.data), differ, strict=True) if differs)
        for score in scores
    )


def _print_matrix(score: Score) -> None:
    """Print the confusion matrix of the classes that count, as percentages of each labelled class."""
    counted = score.confusion.counted
    names = tuple(score.confusion.class_names[c] for c in counted)
    matrix = score.confusion.restricted[counted][:, counted]
    print_text()
    rows = [
        (name, *(f"{100 * count / row.sum():.1f} %" if row.sum() else "" for count in row))
        for name, row in zip(names, matrix, strict=True)
    ]
    print_table(("labelled / predicted", *names), rows, right=names)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "undefined" if value is None else f"{value:,}" if isinstance(value, int) else value
