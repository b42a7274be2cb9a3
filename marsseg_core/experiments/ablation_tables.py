"""The results of an ablation as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import counted
from ..registry.parameters import to_text
from ..runs.metric_values import score_text
from .ablation import Ablation, CombinationScore, Effect
from .differing import ABSENT
from .text_table import TextTable


def effects_table(ablation: Ablation) -> TextTable:
    """Return a row for each effect."""
    score = f"{ablation.subset} {ablation.by}"
    headers: tuple[str, ...] = (
        "setting",
        "choice",
        "instead of",
        score,
        "baseline",
        "effect",
        "95 % interval",
        "pairs",
    )
    rows: list[tuple[str, ...]] = [
        (
            effect.setting,
            effect.choice,
            effect.baseline,
            score_text(effect.score, ABSENT),
            score_text(effect.baseline_score, ABSENT),
            _signed(effect.mean),
            interval_text(effect),
            _pairs(effect),
        )
        for effect in ablation.effects
    ]
    spans = [_span(effect) for effect in ablation.effects]
    if any(spans):
        headers = (*headers, "by combination")
        rows = [(*row, span) for row, span in zip(rows, spans, strict=True)]
    return _with_transductive(TextTable(headers, tuple(rows), headers[3:6]), ablation.effects)


def combinations_table(ablation: Ablation) -> TextTable:
    """Return a row for each combination of settings, the best one first."""
    names = [*dict.fromkeys(name for each in ablation.combinations for name in each.settings)]
    score = f"{ablation.subset} {ablation.by}"
    headers = (*names, score, "n", "to the baseline", "95 % interval")
    ranked = sorted(ablation.combinations, key=lambda each: each.spread.mean, reverse=ablation.rises)
    rows = [
        (
            *(each.settings.get(name, ABSENT) for name in names),
            str(each.spread),
            str(each.spread.n),
            *_difference(each, ablation),
        )
        for each in ranked
    ]
    return _with_transductive(TextTable(headers, tuple(rows), headers[-4:-1]), ranked)


def _with_transductive(table: TextTable, of_rows: Sequence[Effect | CombinationScore]) -> TextTable:
    """Return the table with a column that says which rows are of transductive runs; as it is if none is."""
    if not any(each.transductive for each in of_rows):
        return table
    rows = tuple((*row, "yes" if each.transductive else "") for row, each in zip(table.rows, of_rows, strict=True))
    return replace(table, headers=(*table.headers, "transductive"), rows=rows)


def interval_text(effect: Effect) -> str:
    """Return the interval of an effect, or why there is none."""
    if not effect.by_seed:
        return "no pair of runs"
    if effect.interval is None:
        return "one seed: no interval"
    low, high = effect.interval
    return f"{low:+.4f} to {high:+.4f}"


def effects_csv(ablations: Iterable[Ablation]) -> str:
    """Return the effects on several scores as the text of a CSV file with a header; undefined values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("setting", "choice", "baseline", "score", "baseline_score", "effect", "low", "high")
    ablations = [*ablations]
    more = ["transductive"] if any(effect.transductive for each in ablations for effect in each.effects) else []
    writer.writerow(["subset", "metric", *names, "seeds", "combinations", "incomplete", *more])
    for ablation in ablations:
        for effect in ablation.effects:
            values = effect.to_json()
            counts = [len(effect.by_seed), len(effect.by_others), effect.incomplete]
            last = [to_text(effect.transductive) for _ in more]
            writer.writerow([ablation.subset, ablation.by, *(values[name] for name in names), *counts, *last])
    return text.getvalue()


def _signed(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.4f}"


def _pairs(effect: Effect) -> str:
    seeds, others = len(effect.by_seed), len(effect.by_others)
    return "0" if not seeds else counted(seeds, "seed") + (f" × {others}" if others > 1 else "")


def _span(effect: Effect) -> str:
    """Return the least and the greatest effect over the combinations of the other settings, if there are several."""
    values: Sequence[float] = effect.by_others
    return f"{min(values):+.4f} to {max(values):+.4f}" if len(values) > 1 else ""


def _difference(each: CombinationScore, ablation: Ablation) -> tuple[str, str]:
    difference = each.difference
    if difference is None:
        same = all(ablation.baseline.get(name, text) == text for name, text in each.settings.items())
        return ("baseline", "") if same else ("", "")
    if difference.mean is None:
        return "", "no pair of runs"
    if difference.low is None or difference.high is None:
        return _signed(difference.mean), "one seed: no interval"
    return _signed(difference.mean), f"{difference.low:+.4f} to {difference.high:+.4f}"
