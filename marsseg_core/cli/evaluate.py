"""`marsseg evaluate`: score finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..files.atomic import write_bytes
from ..files.text import encode_text
from ..networks.startup import check_backend
from ..registry.kinds import DATASET, METRIC
from ..registry.session import open_session
from .common_options import Decoding, Engine, Plugins, Trust, Tta
from .completion import composition, fixed
from .loading import load_keras
from .output import print_json, print_table, print_text, say
from .targets import check_target

if TYPE_CHECKING:
    from ..inference.scoring import Score


def evaluate(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, series or packs.", metavar="RUN…", show_default=False)
    ],
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
    interval: Annotated[
        bool,
        typer.Option(
            "--interval",
            help="Add 95 % intervals of miou and of each class' IoU: how far other places could move them.",
        ),
    ] = False,
    ensemble: Annotated[
        bool,
        typer.Option("--ensemble", help="Score the ensemble of all runs, too: the mean of their probabilities."),
    ] = False,
    tta: Tta = None,
    decoding: Decoding = "run",
    engine: Engine = "keras",
    plugin: Plugins = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page with scores, confusion matrices and the worst images.", metavar="FILE.html"),
    ] = None,
) -> None:
    """Score runs side by side, over all classes and for each class.

    The subsets are those of the run. If the data have changed since the run, they are refused; --data may have other
    masks of the same images. Images of a size other than the network's are predicted in tiles, as by `marsseg predict`.
    """
    from ..export.exporters import find_engine
    from ..inference.ensemble import open_runs
    from ..inference.image_sources import ALL, checked_subset
    from ..inference.scored_together import check_scored_together
    from ..planning.metrics import MetricTable
    from ..runs.data import check_data
    from ..runs.decoding import check_choice

    check_target(html, "--html", ".html")
    check_backend()
    subset = checked_subset(subset or (ALL if data else "test"))
    # Runs side by side may differ in their classes; those of an ensemble must not.
    folders = open_runs(runs)[0] if ensemble else [folder for run in runs for folder in open_runs([run])[0]]
    if ensemble:
        check_scored_together(folders, None if data and subset == ALL else subset)
    session = open_session(plugins=plugin, trust=trust)
    runtime = find_engine(engine, session.catalog)
    check_choice(decoding)
    if metrics is not None:
        MetricTable({}).asking(metrics, session.catalog, where=f"--metrics {metrics}")
    for text in data or ():
        check_data(text, folders[0], session, planned=subset != ALL)
    load_keras()
    from ..inference.scoring import score_runs

    scores = score_runs(
        folders,
        data or [None],
        subset,
        session,
        metrics=metrics,
        tta=tta,
        decoding=decoding,
        engine=runtime,
        interval=interval,
        ensemble=ensemble,
    )
    if html is not None:
        from ..inference.score_page import scores_page

        write_bytes(html, encode_text(scores_page(scores)))
        say(f"Page written: {html}")
    if json:
        from ..inference.score_tables import decoding_text

        sources = [
            {"run": score.run, "data": score.data, "subset": score.subset}
            | ({"ensemble": list(score.ensemble)} if score.ensemble else {})
            | ({"decoding": decoding_text(score)} if score.decoding.offsets else {})
            | ({"tta": True} if score.tta else {})
            | ({} if score.trained is None else {"training_images": score.trained.count})
            | ({"other_masks": True} if score.other_masks else {})
            | ({"transductive": True} if score.transductive else {})
            | ({} if score.intervals is None else {"interval": score.intervals.to_json()})
            for score in scores
        ]
        print_json(scores=[source | score.confusion.to_json() for source, score in zip(sources, scores, strict=True)])
    else:
        _print_scores(scores)


def _print_scores(scores: list[Score]) -> None:
    from ..inference.score_tables import notes_below, scores_table

    table = scores_table(scores)
    print_table(table.headers, table.rows, right=table.right)
    if len(scores) == 1:
        _print_matrix(scores[0])
    print_text()
    for line in notes_below(scores):
        print_text(line)


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
