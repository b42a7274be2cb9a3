"""The effect of each choice of an ablation on a score, from runs that are paired by seed and other settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from ..runs.records import Record
from ..runs.transductive import transductive_sentence
from .comparison import CONFIDENCE, Difference, difference, half_width
from .summary import Spread


@dataclass(frozen=True)
class Factor:
    """A setting whose choices are compared.

    Attributes:
        name: The path of the setting, such as "loss".
        choices: Its choices as texts; the first one is the baseline.
    """

    name: str
    choices: tuple[str, ...]

    @property
    def baseline(self) -> str:
        """Return the choice that the others are compared to."""
        return self.choices[0]


@dataclass(frozen=True)
class AblationRun:
    """A finished run of an ablation.

    Attributes:
        settings: The settings that vary and play a part in this run, as texts, without the seed.
        record: Its record.
    """

    settings: Mapping[str, str]
    record: Record


@dataclass(frozen=True)
class Effect:
    """The effect of a choice instead of the baseline, averaged over the other settings.

    The runs of a pair have the same seed, the same other settings, and are scored on the same items. The runs of one
    seed may have errors in common, as they share the order of the images and perhaps initial weights. So the pairs of
    each seed are averaged first, and the interval is that of the mean over the seeds.

    Attributes:
        setting: The name of the factor.
        choice: The choice.
        baseline: The choice that it replaces.
        by_seed: The mean difference over the pairs of each seed, by the seed. Empty if there is no pair.
        by_others: The mean difference over the seeds, for each combination of the other settings.
        score: The mean score with the choice, over the pairs.
        baseline_score: The mean score with the baseline, over the pairs.
        incomplete: The number of combinations of the other settings that have a pair, but not with each of these seeds.
            They are left out.
        transductive: Whether runs of the choice or of the baseline learned from images of their validation and test
            subsets, without their labels.
    """

    setting: str
    choice: str
    baseline: str
    by_seed: Mapping[str, float] = field(default_factory=dict)
    by_others: tuple[float, ...] = ()
    score: float | None = None
    baseline_score: float | None = None
    incomplete: int = 0
    transductive: bool = False

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % t-interval of the mean over the seeds; None for less than two seeds."""
        if len(self.by_seed) < 2:
            return None
        spread = Spread.of([*self.by_seed.values()])
        half = half_width(spread)
        return spread.mean - half, spread.mean + half

    @property
    def mean(self) -> float | None:
        """Return the effect: the mean difference over the seeds; None if there is no pair."""
        return fmean(self.by_seed.values()) if self.by_seed else None

    def to_json(self) -> dict[str, Any]:
        """Return the effect as it is written to ablation.json."""
        low, high = self.interval or (None, None)
        return {
            "setting": self.setting,
            "choice": self.choice,
            "baseline": self.baseline,
            "score": self.score,
            "baseline_score": self.baseline_score,
            "effect": self.mean,
            "low": low,
            "high": high,
            "seeds": dict(self.by_seed),
            "others": list(self.by_others),
            "incomplete": self.incomplete,
            **({"transductive": True} if self.transductive else {}),
        }


@dataclass(frozen=True)
class CombinationScore:
    """The runs of one combination of settings, which differ only in their seeds.

    Attributes:
        settings: The settings.
        values: The scores of the runs.
        difference: The difference to the baseline combination over pairs of runs with the same seed; None for the
            baseline combination itself, or if it has no run.
        transductive: Whether the runs learned from images of their validation and test subsets, without their labels.
    """

    settings: Mapping[str, str]
    values: tuple[float, ...]
    difference: Difference | None
    transductive: bool = False

    @property
    def spread(self) -> Spread:
        """Return the mean and the standard deviation of the scores."""
        return Spread.of(self.values)

    def to_json(self) -> dict[str, Any]:
        """Return the combination as it is written to ablation.json."""
        return {
            "settings": dict(self.settings),
            **self.spread.to_json(),
            "values": list(self.values),
            "difference": self.difference and self.difference.to_json(),
            **({"transductive": True} if self.transductive else {}),
        }


@dataclass(frozen=True)
class Ablation:
    """The results of an ablation for one score.

    Attributes:
        by: The name of the score.
        subset: The subset that is scored.
        rises: Whether higher is better.
        factors: The settings that are compared.
        effects: The effect of each choice that is no baseline, in the order of the factors.
        combinations: The scores of each combination that has a run with a defined score.
        missing: The runs without a score, each with the reason.
    """

    by: str
    subset: str
    rises: bool
    factors: tuple[Factor, ...]
    effects: tuple[Effect, ...]
    combinations: tuple[CombinationScore, ...]
    missing: tuple[tuple[Path, str], ...]

    @property
    def baseline(self) -> Mapping[str, str]:
        """Return the baseline choice of each setting."""
        return {factor.name: factor.baseline for factor in self.factors}

    @property
    def note(self) -> str:
        """Return what must be said with the tables: which rows are of transductive runs. Empty if none is."""
        rows = [effect.transductive for effect in self.effects] + [each.transductive for each in self.combinations]
        return transductive_sentence("rows with yes in the column of this name" if any(rows) else "")

    def to_json(self) -> dict[str, Any]:
        """Return the results as they are written to ablation.json."""
        return {
            "by": self.by,
            "subset": self.subset,
            "direction": "maximize" if self.rises else "minimize",
            "confidence": CONFIDENCE,
            "baseline": dict(self.baseline),
            "effects": [effect.to_json() for effect in self.effects],
            "combinations": [each.to_json() for each in self.combinations],
            "missing": [{"run": str(path), "reason": reason} for path, reason in self.missing],
        }


def analyse(
    runs: Sequence[AblationRun],
    factors: Sequence[Factor],
    by: str,
    subset: str,
    *,
    rises: bool,
    missing: Iterable[tuple[Path, str]] = (),
) -> Ablation:
    """Compute the effects of all choices on a score of a subset, from finished runs that have this subset scored."""
    undefined = [run.record.path for run in runs if run.record.scores[subset].get(by) is None]
    defined = [run for run in runs if run.record.scores[subset].get(by) is not None]
    effects = tuple(_effect(defined, factor, choice, by, subset) for factor in factors for choice in factor.choices[1:])
    reasons = (*missing, *((path, f"{by} is undefined") for path in undefined))
    return Ablation(by, subset, rises, tuple(factors), effects, _combinations(defined, factors, by, subset), reasons)


def _effect(runs: Sequence[AblationRun], factor: Factor, choice: str, by: str, subset: str) -> Effect:
    sides = [[run for run in runs if run.settings.get(factor.name) == text] for text in (factor.baseline, choice)]
    # A parameter that only one of the two has, such as the width of one architecture, is averaged over.
    shared = set.intersection(*({name for run in side for name in run.settings} for side in sides)) - {factor.name}
    grouped = [_grouped(side, shared, by, subset) for side in sides]
    pairs = {others: _paired(grouped[0][others], grouped[1][others]) for others in grouped[0] if others in grouped[1]}
    pairs = {others: by_seed for others, by_seed in pairs.items() if by_seed}
    if not pairs:
        return Effect(factor.name, choice, factor.baseline)
    seeds = _common_seeds([*pairs.values()])
    complete = [by_seed for by_seed in pairs.values() if seeds <= by_seed.keys()]
    differences = {
        seed: fmean(by_seed[seed][1] - by_seed[seed][0] for by_seed in complete) for seed in sorted(seeds, key=int)
    }
    others = tuple(fmean(by_seed[seed][1] - by_seed[seed][0] for seed in seeds) for by_seed in complete)
    baseline_score, score = (fmean(by_seed[seed][side] for by_seed in complete for seed in seeds) for side in (0, 1))
    return Effect(
        factor.name,
        choice,
        factor.baseline,
        differences,
        others,
        score,
        baseline_score,
        incomplete=len(pairs) - len(complete),
        transductive=any(run.record.transductive for side in sides for run in side),
    )


def _grouped(
    runs: Iterable[AblationRun], shared: set[str], by: str, subset: str
) -> dict[Hashable, dict[str, list[float]]]:
    """Return the scores of runs by their other settings and the items that they are scored on, and then by seed."""
    groups: dict[Hashable, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        value = run.record.scores[subset][by]
        settings = tuple((name, run.settings[name]) for name in sorted(shared) if name in run.settings)
        if value is not None:
            groups[settings, run.record.scored_on(subset)][run.record.seed].append(value)
    return groups


def _paired(
    baseline: Mapping[str, Sequence[float]], choice: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    """Return the mean scores with the baseline and with the choice, for each seed of which no run is missing."""
    most = [max(map(len, side.values())) for side in (baseline, choice)]
    return {
        seed: (fmean(values), fmean(choice[seed]))
        for seed, values in baseline.items()
        if [len(values), len(choice.get(seed, ()))] == most
    }


def _common_seeds(pairs: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the largest set of seeds that a combination has pairs of; of equally large ones, that of the most."""
    candidates = [{*by_seed} for by_seed in pairs]
    return max(candidates, key=lambda seeds: (len(seeds), sum(seeds <= each.keys() for each in pairs)))


def _combinations(
    runs: Sequence[AblationRun], factors: Sequence[Factor], by: str, subset: str
) -> tuple[CombinationScore, ...]:
    groups: dict[tuple[tuple[str, str], ...], list[Record]] = defaultdict(list)
    for run in runs:
        groups[tuple(run.settings.items())].append(run.record)
    first = {factor.name: factor.baseline for factor in factors}
    baseline = next((key for key in groups if all(first.get(name, text) == text for name, text in key)), None)
    combinations = []
    for key, records in groups.items():
        values = tuple(value for record in records if (value := record.scores[subset][by]) is not None)
        paired = None
        if baseline is not None and key != baseline:
            same = records[0].scored_on(subset)
            comparable = [record for record in groups[baseline] if record.scored_on(subset) == same]
            paired = difference(records, comparable, by, subset)
        transductive = any(record.transductive for record in records)
        combinations.append(CombinationScore(dict(key), values, paired, transductive))
    return tuple(combinations)
