"""Write the results as Markdown and as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marsseg_core.figures.page import render_template

from .budget import TOLERANCE
from .results import Result
from .rows import MOST_PARAMETERS, SCRATCH, SMALL, TRACKS, UNLABELLED

Tables = Mapping[tuple[str, float], Sequence[Result]]  # by track and budget in seconds


def tracks_of(results: Mapping[float, Sequence[Result]]) -> dict[tuple[str, float], list[Result]]:
    """Sort the results of each budget into tracks, the best first.

    Rows of `scratch` are also in `small`, if they are small enough, and in `unlabelled`, if a row there is the same
    plan with a semi-supervised method.
    """
    tables: dict[tuple[str, float], list[Result]] = {}
    for track in TRACKS:
        for budget, all_results in results.items():
            own = [each for each in all_results if each.row.track == track]
            guests = [each for each in all_results if each.row.track == SCRATCH and _is_guest(each, track, own)]
            if own or guests:
                tables[track, budget] = sorted(own + guests, key=lambda each: -each.miou)
    return tables


def _is_guest(result: Result, track: str, own: Sequence[Result]) -> bool:
    """Return whether a row of `scratch` is also in the table of another track."""
    if track == SMALL:
        return int(result.measured["parameters"]) <= MOST_PARAMETERS
    return track == UNLABELLED and any(each.row.without_method == result.row.document for each in own)


def columns(results: Sequence[Result]) -> list[str]:
    """Return the headings of a table."""
    classes = [name.replace("_", " ") for name in results[0].ious]
    return [
        "plan",
        "`miou`",
        "95 % interval",
        "validation",
        *classes,
        "parameters",
        "MACs",
        "minutes",
        "ms",
        "epochs",
        "runs",
    ]


def cells(result: Result, budget: float) -> list[str]:
    """Return the cells of a row; `budget` is in seconds."""
    low, high = result.interval
    macs = result.measured["multiply_accumulates"]
    over = 60 * result.minutes > budget * (1 + TOLERANCE)  # a single epoch takes longer than the budget
    return [
        str(result.row),
        f"{result.miou:.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{result.mean_validation:.3f}",
        *(f"{value:.3f}" for value in result.ious.values()),
        f"{result.measured['parameters']:,}",
        "unknown" if macs is None else f"{macs / 1e6:,.0f} M",
        f"{result.minutes:.1f}{' (over)' if over else ''}",
        f"{result.measured['milliseconds']:.1f}",
        str(result.epochs),
        str(len(result.members)),
    ]


def budget_text(seconds: float) -> str:
    """Return a budget in words, such as "5 processor minutes"."""
    return f"{seconds / 60:g} processor minutes" if seconds >= 60 else f"{seconds:g} processor seconds"


def explanation(tables: Tables, notes: Sequence[str]) -> list[str]:
    """Return the paragraphs above the tables."""
    members = [member for results in tables.values() for result in results for member in result.members]
    dates, machines = (sorted({member.measured[key] for member in members}) for key in ("date", "machine"))
    places = len(members[0].matrices) if members else 0
    lines = [
        "Each row is a plan in `benchmarks/leaderboard/`, trained on the same images within the same processor time. "
        "Scores are those of the test subset: means over the runs, which differ in their seeds. The recipes, whose "
        "plans some rows have, were settled with scores of these images in view, so theirs may be slightly too high. "
        f"The interval is that of bootstrap samples of the {places} places of the test subset. Classes: IoU.",
        "Validation: the mean `miou` of the validation subset. The best two rows of a table by this score of their "
        "first run have further seeds. Where the two subsets disagree on which of two rows is better, these images "
        "cannot tell.",
        "Minutes: user and system time of a training, first step to end of the last epoch, with validation, of the "
        "fastest run; runs on another machine than the first one's do not count. The first epochs are timed, and as "
        "many whole epochs are trained as fit, so a part of the budget stays unused. "
        f"The first run of a row may take {100 * TOLERANCE:g} % more than the budget; further seeds train as many "
        "epochs, whatever they take. "
        "ms: processor time to predict one image, in batches of 16, with all flips of a plan that has `tta`. MACs: "
        "multiply-accumulates of the network per image, without flips.",
        f"{'Machines' if len(machines) > 1 else 'Machine'}: {'; '.join(machines)}. "
        f"Date: {' to '.join(dict.fromkeys((dates[0], dates[-1])))}."
        if members
        else "No results.",
    ]
    return [*lines, *notes]


def about(track: str, results: Sequence[Result]) -> list[str]:
    """Return the paragraphs above one table: its rule, and the machines of its rows and seeds, if they differ."""
    first: dict[str, list[str]] = {}
    further: dict[str, list[str]] = {}
    for result in results:
        machines = list(dict.fromkeys(member.measured["machine"] for member in result.members))
        first.setdefault(machines[0], []).append(str(result.row))
        for machine in machines[1:]:
            further.setdefault(machine, []).append(str(result.row))
    apart = [f"{machine}: {', '.join(names)}." for machine, names in first.items()]
    apart = ["Budgets of different machines cannot be compared.", *apart] if len(first) > 1 else []
    added = [
        f"Some further seeds were trained, for as many epochs, on {machine}: {', '.join(names)}. "
        "The minutes do not count them."
        for machine, names in further.items()
    ]
    return [TRACKS[track], *([" ".join(apart + added)] if apart or added else [])]


def to_markdown(tables: Tables, notes: Sequence[str], command: str) -> str:
    """Return the page in Markdown."""
    parts = ["# Leaderboard", *explanation(tables, notes), f"```sh\n{command}\n```"]
    for (track, budget), results in tables.items():
        head = columns(results)
        rule = ["---", *["--:"] * (len(head) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (head, rule, *(cells(result, budget) for result in results))]
        parts += [f"## {track}, {budget_text(budget)}", *about(track, results), "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def to_html(tables: Tables, notes: Sequence[str], command: str) -> str:
    """Return the page in HTML, without links and scripts."""
    shown: list[dict[str, Any]] = [
        {
            "heading": f"{track}, {budget_text(budget)}",
            "about": [line.replace("`", "") for line in about(track, results)],
            "columns": [name.strip("`") for name in columns(results)],
            "rows": [cells(result, budget) for result in results],
        }
        for (track, budget), results in tables.items()
    ]
    lines = [line.replace("`", "") for line in explanation(tables, notes)]
    return render_template("board", "page.html", title="Leaderboard", lines=lines, command=command, tables=shown)
