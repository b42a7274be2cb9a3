"""The table of metrics: what a run can be scored, kept, stopped and ranked by, from what is installed.

A *score* is one number of a metric: `dice` is the metric's value, `dice_soil` that of a class. A *column* of the
history is a score of the validation subset, `val_dice_soil`, or a loss.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from ..conventions import HEADLINE
from ..errors import PluginError, RequestError, nearest
from ..messages import get_logger
from ..registry.catalog import Catalog, installed
from ..registry.entries import OK, Entry
from ..registry.kinds import METRIC
from ..registry.loading import load
from ..registry.parameters import configure, parameters_of
from . import grammar
from .options import NoOptions, TrainingOptions
from .resolved import ResolvedComponent

_logger = get_logger(__name__)

PREFIX: Final = "val_"

# What early stopping may watch though no network is kept by it: a loss falls on its own where weights move.
LOSSES: Final = ("val_loss", "loss")

# How far rounding may take a value past its bounds.
_ROUNDING: Final = 1e-9

_LOSS: Final = re.compile(r"(val_)?loss(_\w+)?")


@dataclass(frozen=True)
class MetricTable:
    """Hold the metrics by name, the headline first, and what a run wants of them.

    Attributes:
        resolved: each metric as it is configured
        asked: the names of those that somebody named: they are computed and shown
        watched: the column of the history that early stopping watches
        best_by: the column by which the best network is kept
    """

    resolved: Mapping[str, ResolvedComponent]
    asked: frozenset[str] = frozenset()
    watched: str = PREFIX + HEADLINE
    best_by: str = PREFIX + HEADLINE

    def of(self, score: str) -> ResolvedComponent | None:
        """The metric that a score is of: by its name, or by its word for classes with a class's name behind it."""
        if score in self.resolved:
            return self.resolved[score]
        found = [each for each in self.resolved.values() if _is_of_a_class(score, each)]
        return max(found, key=lambda each: len(each.component.per_class), default=None)

    def canonical(self, score: str) -> str:
        """The score that a text means: of a metric's alias, its name."""
        named = (name for name, each in self.resolved.items() if score in each.entry.aliases)
        return score if score in self.resolved else next(named, score)

    def rises(self, column: str) -> bool:
        """Whether more of a column (or of a score) is better."""
        metric = self.of(column.removeprefix(PREFIX))
        return not _LOSS.fullmatch(column) if metric is None else bool(metric.component.higher_is_better)

    def is_column(self, text: str) -> bool:
        """Whether a history may have a column of this name: a loss, or a score of validation or training subset."""
        return bool(_LOSS.fullmatch(text)) or self.of(text.removeprefix(PREFIX)) is not None

    def possible(self, score: str, value: float) -> bool:
        """Whether a score can have a value; of a metric that is not installed, any number."""
        metric = self.of(score)
        least, greatest = (-math.inf, math.inf) if metric is None else metric.component.bounds
        return math.isfinite(value) and bool(least - _ROUNDING <= value <= greatest + _ROUNDING)

    def label(self, score: str) -> str:
        """What tables and pages call a metric, with its unit."""
        metric = self.of(score)
        if metric is None or score not in self.resolved:
            return score
        component = metric.component
        return (component.label or score) + (f" [{component.unit}]" if component.unit else "")

    def explanation(self, score: str) -> str:
        metric = self.of(score)
        return "" if metric is None else str(metric.component.explanation)

    def spaced(self, score: str) -> str:
        """A score as tables in the terminal name it: "iou soil" for iou_soil."""
        metric = self.of(score)
        if metric is None or score in self.resolved:
            return score
        word = metric.component.per_class
        return f"{word} {score.removeprefix(f'{word}_')}"

    def shows(self, score: str) -> bool:
        """Whether tables show a score: that of a metric which stands in them, was asked for or is not installed."""
        metric = self.of(score)
        return metric is None or metric.component.in_tables or metric.entry.name in self.asked

    def records(self, score: str) -> bool:
        """Whether tools that a run is handed on to are given a score: the history's, and what was asked for."""
        metric = self.of(score)
        return metric is not None and (metric.component.in_history or metric.entry.name in self.asked)

    def computed(self) -> tuple[ResolvedComponent, ...]:
        """The metrics of a subset that is scored: what the confusion matrix has, and what was asked for."""
        dear = {name for name, each in self.resolved.items() if each.component.needs_predictions}
        return tuple(each for name, each in self.resolved.items() if name not in dear - self.asked)

    def in_history(self, columns: Collection[str]) -> tuple[ResolvedComponent, ...]:
        """The metrics that each epoch needs: those of its line, and those of the columns that somebody watches."""
        watched = {
            metric.entry.name for column in columns if (metric := self.of(column.removeprefix(PREFIX))) is not None
        }
        return tuple(each for name, each in self.resolved.items() if each.component.in_history or name in watched)

    def asking(self, text: str, catalog: Catalog, *, where: str) -> MetricTable:
        """The table with the metrics of a composition text, as they are configured there, asked for."""
        found = dict(self.resolved)
        for named in grammar.parse(text, where=where):
            entry = catalog.find(METRIC, named.name, where=where)
            component = configure(load(entry), named.parameters, where=f"metric {entry.name}")
            found[entry.name] = ResolvedComponent(entry, component, NoOptions())
        names = {name for name, each in found.items() if each is not self.resolved.get(name)}
        return replace(self, resolved=_in_order(found), asked=self.asked | names)


def _is_of_a_class(score: str, metric: ResolvedComponent) -> bool:
    word = metric.component.per_class
    return bool(word) and score.startswith(f"{word}_")


def _in_order(resolved: Mapping[str, ResolvedComponent]) -> dict[str, ResolvedComponent]:
    return dict(sorted(resolved.items(), key=lambda item: (item[0] != HEADLINE, item[0])))


def metric_table(catalog: Catalog | None = None) -> MetricTable:
    """Make the table of the metrics of a catalog (of what is installed) with their defaults.

    One that cannot be loaded is left out with a warning: no run needs it unless it is asked for by name.
    """
    entries = (catalog or installed()).of_kind(METRIC)
    return MetricTable(_in_order({each.entry.name: each for each in _with_defaults(entries)}))


def _with_defaults(entries: Iterable[Entry]) -> Iterable[ResolvedComponent]:
    for entry in entries:
        if entry.status != OK:
            continue
        if (cls := _sound_class(entry)) and not any(parameter.required for parameter in parameters_of(cls).values()):
            yield ResolvedComponent(entry, configure(cls, {}, where=f"metric {entry.name}"), NoOptions())


@cache
def _sound_class(entry: Entry) -> type[Any] | None:
    """The class of a metric; None, and a warning once, where it cannot be loaded."""
    try:
        return load(entry)
    except PluginError as error:
        _logger.warning("%s No run is scored by it.", error.what)
        return None


def planned_metrics(training: TrainingOptions, catalog: Catalog) -> MetricTable:
    """The table of a run: with what its plan asks for and is monitored.

    RequestError where the plan names what is no metric.
    """
    table = metric_table(catalog).asking(training.metrics, catalog, where=f"--metrics {training.metrics}")
    where = f"--monitor {training.monitor}"
    if training.monitor in LOSSES:
        return replace(table, watched=training.monitor)
    text = training.monitor.removeprefix(PREFIX)
    name = text.partition(":")[0]
    if catalog.named(name, [METRIC]):
        if ":" in text or catalog.find(METRIC, name, where=where).name not in table.asked:
            table = table.asking(text, catalog, where=where)
        score = catalog.find(METRIC, name, where=where).name
    elif (metric := table.of(text)) is not None:  # of a class
        score = text
        table = replace(table, asked=table.asked | {metric.entry.name})
    else:
        known = [*LOSSES, *table.resolved]
        raise RequestError(
            f"There is no metric '{text}' to monitor.",
            where=where,
            hint=f"{nearest(text, known, listing='There are')} A class's own is its metric's with its name: iou_soil.",
        )
    column = PREFIX + score
    return replace(table, watched=column, best_by=column)


def canonical_monitor(text: str, catalog: Catalog) -> str:
    """What a plan says of a text that names a metric: as the history's column is called, with its parameters.

    Whether there is such a metric is not asked.
    """
    if text in LOSSES:
        return text
    name, colon, parameters = text.removeprefix(PREFIX).partition(":")
    found = catalog.named(name, [METRIC])
    if found and "/" not in name:
        name = found[0].name
    return f"{PREFIX}{name}{colon}{parameters}"
