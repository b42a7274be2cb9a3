"""The design of an ablation: its combinations, as a full grid or one setting at a time, and their seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from ..data.split_options import MOST_RUNS
from ..errors import MarssegError, RequestError
from ..experiments.ablation import Factor
from ..planning.request import Request
from ..registry.parameters import Value, to_text
from ..registry.session import Session
from .draw import plan_of
from .options import AblationOptions, SweepOptions, check_score
from .paths import decides_items
from .space import (
    MOST_COMBINATIONS,
    Assignment,
    Combination,
    Setting,
    Space,
    make_space,
    separated,
    skipped_lines,
    star,
    varies,
)

SEED: Final = "training.seed"


@dataclass(frozen=True)
class Design:
    """An ablation before its first trial, checked.

    Attributes:
        options: the options of its sweep
        request: what all trials have in common
        space: the settings that vary, among them the seed
        combinations: the combinations that can be trained, the baseline first
        impossible: why each of the others cannot be trained
    """

    options: SweepOptions
    request: Request
    space: Space
    combinations: tuple[Assignment, ...]
    impossible: tuple[str, ...]

    @property
    def seeds(self) -> Sequence[Value]:
        """Return the seeds of each combination."""
        return seeds_of(self.space)

    @property
    def factors(self) -> list[Factor]:
        """Return the settings whose choices are compared."""
        return factors_of(self.space)

    @property
    def warnings(self) -> list[str]:
        """Return what a user should know before the first trial."""
        lines = skipped_lines(len(self.combinations), self.impossible, "combinations")
        data = [each.name for each in self.factors if decides_items(each.name)]
        if data:
            lines.append(f"{', '.join(data)}: runs that are scored on different items cannot be paired.")
        return lines


def make_design(
    choices: Mapping[str, Sequence[str]],
    varied: Sequence[str],
    request: Request,
    session: Session,
    ablation: AblationOptions,
    *,
    seeds: int,
    first_seed: int,
) -> Design:
    """Return the design of an ablation.

    Args:
        choices: the choices of each kind, by its option. A single one is that of all trials.
        varied: the texts of `--vary`
        request: what all trials have in common, without `choices`
        session: the catalog
        ablation: the options of the ablation
        seeds: the number of seeds
        first_seed: the first seed

    Raises:
        RequestError: nothing varies, or a path, a value, a score or the baseline is impossible
    """
    constant = {option: texts[0] for option, texts in choices.items() if len(texts) == 1}
    request = replace(request, compositions={**request.compositions, **constant})
    repeated = [f"{option}={text}" for option, texts in choices.items() if len(texts) > 1 for text in texts]
    texts = _with_seeds([*repeated, *varied], request, first_seed, seeds)
    ablation = replace(ablation, by=check_score(ablation.by))
    try:
        space = make_space(texts, request, session, one_at_a_time=ablation.one_at_a_time)
    except RequestError as error:
        raise RequestError(error.what, where=_as_written(error.where, choices), hint=error.hint) from error
    if ranges := space.continuous():
        raise RequestError(
            f"An ablation needs single values of {ranges[0]}, not a range.",
            where=f"--vary {ranges[0]}",
            hint=f"List them: --vary {ranges[0]}=A,B,C.",
        )
    if not any(_is_factor(setting) for setting in space.settings):
        raise RequestError(
            "Nothing varies.",
            where="ablate",
            hint=separated(space)
            or "Repeat an option, such as --loss wssce --loss dice, or add --vary PATH=A,B. "
            "For several seeds of one plan: marsseg run --seeds N.",
        )
    _refuse_too_many(space, seeds, one_at_a_time=ablation.one_at_a_time)
    possible, impossible = [], [*space.impossible]
    for position, assignment in enumerate(_combinations(space, one_at_a_time=ablation.one_at_a_time)):
        try:
            plan_of(space, {**assignment, SEED: seeds_of(space)[0]}, request, session)
            possible.append(assignment)
        except MarssegError as error:
            if position == 0 and ablation.one_at_a_time:
                raise
            impossible.append(f"{_text(assignment)}: {error.what}")
    if not possible:
        raise RequestError(f"No combination can be trained. {impossible[0]}", where="ablate")
    options = SweepOptions(tuple(texts), sampler="grid", report=0, ablation=ablation)
    return Design(options, request, space, tuple(possible), tuple(impossible))


def designed(space: Space, number: int, *, one_at_a_time: bool) -> Assignment | None:
    """Return the values of the trial with a number; None if there is none.

    All combinations come with the first seed before any comes with the second: so an ablation that is interrupted has
    complete pairs.
    """
    several, seeds = [*_combinations(space, one_at_a_time=one_at_a_time)], seeds_of(space)
    if number >= len(several) * len(seeds):
        return None
    return {**several[number % len(several)], SEED: seeds[number // len(several)]}


def factors_of(space: Space) -> list[Factor]:
    """Return the settings of an ablation whose choices are compared: those with more than one."""
    return [
        Factor(setting.name, tuple(map(to_text, setting.values.values)))
        for setting in space.settings
        if _is_factor(setting)
    ]


def _is_factor(setting: Setting) -> bool:
    return setting.name != SEED and varies(setting)


def _refuse_too_many(space: Space, seeds: int, *, one_at_a_time: bool) -> None:
    """Raise RequestError for more combinations than can be checked."""
    if one_at_a_time:
        count = 1 + sum((setting.values.count or 1) - 1 for setting in space.settings if _is_factor(setting))
        what, hint = f"There are {count:,} combinations", "Use fewer choices."
    else:
        count = (space.count or 0) // seeds
        what, hint = f"The grid has {count:,} combinations", "Use --one-at-a-time, or fewer choices."
    if count > MOST_COMBINATIONS:
        raise RequestError(f"{what}; at most {MOST_COMBINATIONS:,} are trained.", where="ablate", hint=hint)


def seeds_of(space: Space) -> Sequence[Value]:
    """Return the seeds of an ablation."""
    return next(setting.values.values for setting in space.settings if setting.name == SEED)


def _as_written(where: str | None, choices: Mapping[str, Sequence[str]]) -> str | None:
    """Return where an error is, with the option of a kind that the user has repeated instead of `--vary`."""
    option, equals, text = (where or "").removeprefix("--vary ").partition("=")
    return f"--{option} {text}" if equals and text in choices.get(option, ()) else where


def _with_seeds(varied: Sequence[str], request: Request, first: int, count: int) -> list[str]:
    """Return the texts of `--vary` with `count` seeds from `first` on."""
    if not 1 <= count <= MOST_RUNS:
        raise RequestError(f"--seeds must be from 1 to {MOST_RUNS:,}, not {count}.", where="--seeds")
    if first < 0 or first + count > 2**32:
        raise RequestError(f"The seeds must be from 0 to 2³² − 1, not from {first} on.", where="--seed")
    for option, texts in (("--vary", varied), ("--set", request.overrides)):
        for text in texts:
            if text.partition("=")[0].strip() == SEED:
                raise RequestError(
                    "The seeds of an ablation are those of --seed and --seeds.",
                    where=f"{option} {text}",
                    hint="--seeds N trains each combination with N seeds, from --seed on.",
                )
    return [*varied, f"{SEED}={','.join(str(first + number) for number in range(count))}"]


def _combinations(space: Space, *, one_at_a_time: bool) -> Iterator[Assignment]:
    """Yield all combinations without the seeds, the baseline first."""
    if one_at_a_time:
        _refuse_inactive(space)
    for number, combination in enumerate(space.combinations):
        settings = _active(space, combination)
        choices = [setting.values.values for setting in settings]
        if not one_at_a_time:
            several: Iterable[tuple[Value, ...]] = product(*choices)
        elif number == 0:
            several = star(choices)
        else:  # it differs from the baseline already
            several = [tuple(values[0] for values in choices)]
        for values in several:
            yield {**combination.choices, **{each.name: value for each, value in zip(settings, values, strict=True)}}


def _active(space: Space, combination: Combination) -> list[Setting]:
    return [setting for setting in space.active(combination) if setting.name != SEED]


def _refuse_inactive(space: Space) -> None:
    """Raise RequestError for a setting that varies, but plays no part in the baseline."""
    baseline = space.combinations[0]
    active = [*baseline.choices, *(setting.name for setting in space.active(baseline))]
    for setting in space.settings:
        if (setting.values.count or 0) > 1 and setting.name not in active:
            raise RequestError(
                f"{setting.name} plays no part in the baseline, so it cannot vary one at a time.",
                where=f"--vary {setting.name}",
                hint="The first choice of each setting is the baseline. Change the order, or use the full grid.",
            )


def _text(assignment: Assignment) -> str:
    return ", ".join(f"{name}={to_text(value)}" for name, value in assignment.items())
