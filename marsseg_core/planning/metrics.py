"""The table of the installed metrics, and which of them a run computes, monitors and shows.

A *score* is one number of a metric: `dice` is the value of the metric `dice`, `dice_soil` is its value for the class
soil. A *column* of the history is a score of the validation subset, such as `val_dice_soil`, or a loss.
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

# Early stopping may watch these, but they never select the best network: where the weighting changes the weights of
# the losses, the total loss may fall although the network does not get better.
LOSSES: Final = ("val_loss", "loss")

# The distance from its bounds that rounding may add to a value.
_ROUNDING: Final = 1e-9

_LOSS: Final = re.compile(r"(val_)?loss(_\w+)?")


@dataclass(frozen=True)
class MetricTable:
    """Hold the metrics by name, the headline metric first, and how a run uses them.

    Attributes:
        resolved: the configured metrics by name
        asked: the names of the metrics that the plan or the user requests: they are computed and shown
        watched: the column of the history that early stopping watches
        best_by: the column of the history that selects the best network
        ignored: whether the data have ignored classes, or None if it is not known: then as if they had
    """

    resolved: Mapping[str, ResolvedComponent]
    asked: frozenset[str] = frozenset()
    watched: str = PREFIX + HEADLINE
    best_by: str = PREFIX + HEADLINE
    ignored: bool | None = None

    def for_data(self, ignore_classes: Collection[int]) -> MetricTable:
        """Return the table for data with these ignored classes, as `shows` needs it.

        Args:
            ignore_classes: The ids of the ignored classes.
        """
        return replace(self, ignored=bool(ignore_classes))

    def of(self, score: str) -> ResolvedComponent | None:
        """Return the metric of a score such as "miou" or "iou_soil"; None if no metric in the table has it.

        The score of a class is the metric's `per_class` word, an underscore, and the name of the class. If several
        metrics match, the one with the longest word is returned.

        Args:
            score: The name of a score, without "val_".

        Returns:
            The metric, or None.

        Example:
            >>> metric_table().of("iou_soil").entry.name
            'miou'
        """
        if score in self.resolved:
            return self.resolved[score]
        matching = [each for each in self.resolved.values() if _is_class_score(score, each)]
        return max(matching, key=lambda each: len(each.component.per_class), default=None)

    def canonical(self, score: str) -> str:
        """Return the name of the metric if `score` is one of its aliases, otherwise `score` itself.

        Args:
            score: The name of a score, or an alias of a metric.

        Example:
            >>> metric_table().canonical("f1")
            'dice'
        """
        names = (name for name, each in self.resolved.items() if score in each.entry.aliases)
        return score if score in self.resolved else next(names, score)

    def rises(self, column: str) -> bool:
        """Return whether a higher value is better. For a score of an unknown metric this is assumed.

        Args:
            column: A column of the history or the name of a score, such as "val_miou", "miou" or "val_loss".
        """
        metric = self.of(column.removeprefix(PREFIX))
        return not _LOSS.fullmatch(column) if metric is None else bool(metric.component.higher_is_better)

    def is_column(self, text: str) -> bool:
        """Return whether the history may have this column: a loss, or a score of the validation or training subset.

        Args:
            text: The name of the column, such as "val_miou" or "loss".
        """
        return bool(_LOSS.fullmatch(text)) or self.of(text.removeprefix(PREFIX)) is not None

    def possible(self, score: str, value: float) -> bool:
        """Return whether `value` is finite and within the metric's bounds. Unknown metrics have no bounds.

        Args:
            score: The name of a score.
            value: Its value.
        """
        least, greatest = self.bounds(score)
        return math.isfinite(value) and bool(least - _ROUNDING <= value <= greatest + _ROUNDING)

    def bounds(self, score: str) -> tuple[float, float]:
        """Return the lowest and the highest possible value of a score; infinite for unknown metrics.

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        return (-math.inf, math.inf) if metric is None else metric.component.bounds

    def label(self, score: str) -> str:
        """Return the label of a metric with its unit, as tables and reports show it; for any other score, its name.

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        if metric is None or score not in self.resolved:
            return score
        component = metric.component
        return (component.label or score) + (f" [{component.unit}]" if component.unit else "")

    def explanation(self, score: str) -> str:
        """Return the explanation of the metric of a score; empty if the metric is not in the table.

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        return "" if metric is None else str(metric.component.explanation)

    def spaced(self, score: str) -> str:
        """Return the name of a score for tables in the terminal: "iou soil" for "iou_soil".

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        if metric is None or score in self.resolved:
            return score
        word = metric.component.per_class
        return f"{word} {score.removeprefix(f'{word}_')}"

    def shows(self, score: str) -> bool:
        """Return whether tables show a score.

        They show the metrics with `in_tables`, the requested metrics, and scores of metrics that are not installed. Of
        data without ignored classes, they do not show the metrics with `about_ignored`, unless requested.

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        if metric is None or metric.entry.name in self.asked:
            return True
        component = metric.component
        return bool(component.in_tables) and not (component.about_ignored and self.ignored is False)

    def records(self, score: str) -> bool:
        """Return whether experiment trackers such as TensorBoard or MLflow receive a score.

        They receive the scores of metrics in the history, and of the requested metrics.

        Args:
            score: The name of a score.
        """
        metric = self.of(score)
        return metric is not None and (metric.component.in_history or metric.entry.name in self.asked)

    def computed(self) -> tuple[ResolvedComponent, ...]:
        """Return the metrics to compute when a subset is scored.

        These are the metrics that need only the confusion matrix, and the requested metrics.
        """
        need_predictions = {name for name, each in self.resolved.items() if each.component.needs_predictions}
        return tuple(each for name, each in self.resolved.items() if name not in need_predictions - self.asked)

    def in_history(self, columns: Collection[str]) -> tuple[ResolvedComponent, ...]:
        """Return the metrics to compute after each epoch.

        These are the metrics with `in_history`, and the metrics of the history columns `columns`.

        Args:
            columns: Further columns of the history that are needed, such as "val_dice".
        """
        watched = {
            metric.entry.name for column in columns if (metric := self.of(column.removeprefix(PREFIX))) is not None
        }
        return tuple(each for name, each in self.resolved.items() if each.component.in_history or name in watched)

    def asking(self, text: str, catalog: Catalog, *, where: str) -> MetricTable:
        """Return the table with the metrics of a composition text added, or configured again, and marked as requested.

        Args:
            text: A composition text such as "boundary_iou,boundary_f:tolerance=2".
            catalog: The catalog in which the metrics are looked up.
            where: The option that error messages name.

        Returns:
            A new table.

        Raises:
            RequestError: If a name or a parameter is wrong.
            PluginError: If a metric cannot be loaded.
        """
        resolved = dict(self.resolved)
        for named in grammar.parse(text, where=where):
            entry = catalog.find(METRIC, named.name, where=where)
            component = configure(load(entry), named.parameters, where=f"metric {entry.name}")
            resolved[entry.name] = ResolvedComponent(entry, component, NoOptions())
        requested = {name for name, each in resolved.items() if each is not self.resolved.get(name)}
        return replace(self, resolved=_in_order(resolved), asked=self.asked | requested)


def _is_class_score(score: str, metric: ResolvedComponent) -> bool:
    word = metric.component.per_class
    return bool(word) and score.startswith(f"{word}_")


def _in_order(resolved: Mapping[str, ResolvedComponent]) -> dict[str, ResolvedComponent]:
    return dict(sorted(resolved.items(), key=lambda item: (item[0] != HEADLINE, item[0])))


def metric_table(catalog: Catalog | None = None) -> MetricTable:
    """Make the table of all metrics of a catalog, each with its default parameters.

    A metric that cannot be loaded is left out with a warning, as no run needs it unless the plan names it.

    Args:
        catalog: The catalog in which the metrics are looked up; None for the installed distributions.

    Returns:
        The table, with no metric marked as requested.
    """
    entries = (catalog or installed()).of_kind(METRIC)
    return MetricTable(_in_order({each.entry.name: each for each in _with_defaults(entries)}))


def _with_defaults(entries: Iterable[Entry]) -> Iterable[ResolvedComponent]:
    for entry in entries:
        if entry.status != OK:
            continue
        if (cls := _class_or_none(entry)) and not any(parameter.required for parameter in parameters_of(cls).values()):
            yield ResolvedComponent(entry, configure(cls, {}, where=f"metric {entry.name}"), NoOptions())


@cache
def _class_or_none(entry: Entry) -> type[Any] | None:
    """Return the class of a metric, or log a warning once and return None if it cannot be loaded."""
    try:
        return load(entry)
    except PluginError as error:
        _logger.warning("%s The metric is left out.", error.what)
        return None


def planned_metrics(training: TrainingOptions, catalog: Catalog) -> MetricTable:
    """Make the table of a run, with the metrics of its options `metrics` and `monitor`.

    Raises RequestError if one of them names no metric.
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
    elif (metric := table.of(text)) is not None:  # the score of a class
        score = text
        table = replace(table, asked=table.asked | {metric.entry.name})
    else:
        known = [*LOSSES, *table.resolved]
        raise RequestError(
            f"There is no metric '{text}' to monitor.",
            where=where,
            hint=f"{nearest(text, known, listing='There are')} For one class, add its name, as in iou_soil.",
        )
    column = PREFIX + score
    return replace(table, watched=column, best_by=column)


def canonical_monitor(text: str, catalog: Catalog) -> str:
    """Return the canonical form of `monitor`: the column of the history, with the parameters of the metric.

    For example, "miou" and "val_miou" both become "val_miou". Does not check that the metric exists.
    """
    if text in LOSSES:
        return text
    name, colon, parameters = text.removeprefix(PREFIX).partition(":")
    entries = catalog.named(name, [METRIC])
    if entries and "/" not in name:
        name = entries[0].name
    return f"{PREFIX}{name}{colon}{parameters}"
