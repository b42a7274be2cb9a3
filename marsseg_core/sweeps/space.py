"""The space of a sweep: the settings that vary, the values of each, and which of them a trial has."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..errors import MarssegError, RequestError
from ..files.documents import read_toml
from ..planning.grammar import parse
from ..planning.plan import Plan
from ..planning.recognition import named_dataset
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import DATASET, Kind
from ..registry.parameters import Value, to_text
from ..registry.session import Session
from .paths import (
    ComponentPath,
    KindPath,
    Path as SettingPath,
    SectionPath,
    decides_items,
    parameters_of_entry,
    parse_path,
)
from .plans import override, refuse_fixed, request_of
from .values import Choices, Range, Values, parse_values

# The values of a trial's settings by their paths. Settings that play no part in it are left out.
Assignment: TypeAlias = Mapping[str, Value]

# Each combination of components is checked before the first trial, which takes some milliseconds.
MOST_COMBINATIONS: Final = 5_000


@dataclass(frozen=True)
class Setting:
    """A setting that varies."""

    path: SettingPath
    values: Values

    @property
    def name(self) -> str:
        """Return the path as text."""
        return str(self.path)


@dataclass(frozen=True)
class Combination:
    """One choice for each kind that varies, and the entries of all components that the trial then has."""

    choices: Mapping[str, Value]
    components: Mapping[Kind, tuple[Entry, ...]]


@dataclass(frozen=True)
class Space:
    """The space of a sweep, checked.

    Attributes:
        settings: the settings that vary: kinds first, then the others, in the order of the user
        combinations: the possible combinations of components
        impossible: why each of the other combinations cannot be trained
        plan: the plan of the first combination, without the other settings
    """

    settings: tuple[Setting, ...]
    combinations: tuple[Combination, ...]
    impossible: tuple[str, ...]
    plan: Plan

    def active(self, combination: Combination) -> list[Setting]:
        """Return the settings, apart from the components themselves, that play a part in a combination."""
        return [
            setting
            for setting in self.settings
            if isinstance(setting.path, SectionPath)
            or (
                isinstance(setting.path, ComponentPath)
                and setting.path.positions(combination.components[setting.path.kind])
            )
        ]

    @property
    def count(self) -> int | None:
        """Return the number of different assignments; None if a setting has uncountably many values."""
        counts = [[setting.values.count for setting in self.active(each)] for each in self.combinations]
        if any(count is None for several in counts for count in several):
            return None
        return sum(prod(count or 0 for count in several) for several in counts)

    def grid(self, number: int) -> Assignment:
        """Return the assignment with a number, from 0 to `count` − 1: the last setting changes first."""
        for combination in self.combinations:
            active = self.active(combination)
            sizes = [setting.values.count or 0 for setting in active]
            if number < prod(sizes):
                values: dict[str, Value] = {}
                for setting, size in reversed([*zip(active, sizes, strict=True)]):
                    number, position = divmod(number, size)
                    values[setting.name] = setting.values.values[position]
                return {**combination.choices, **{setting.name: values[setting.name] for setting in active}}
            number -= prod(sizes)
        raise IndexError(number)

    def combination_of(self, assignment: Assignment) -> Combination | None:
        """Return the combination of components of an assignment; None if it is impossible."""
        return next(
            (
                each
                for each in self.combinations
                if all(assignment[name] == choice for name, choice in each.choices.items())
            ),
            None,
        )

    @property
    def warnings(self) -> list[str]:
        """Return what the user should know before the first trial."""
        lines = skipped_lines(len(self.combinations), self.impossible, "combinations of components")
        data = [each.name for each in self.settings if decides_items(each.name)]
        if data:
            names = ", ".join(data)
            lines.append(f"{names}: the trials are scored on different items, so the best may have the easiest ones.")
        return lines

    def continuous(self) -> list[str]:
        """Return the names of the settings with uncountably many values."""
        return [each.name for each in self.settings if isinstance(each.values, Range) and not each.values.integer]


def varies(setting: Setting) -> bool:
    """Return whether a setting has more than one value."""
    return setting.values.count is None or setting.values.count > 1


def refuse_constant(space: Space) -> None:
    """Raise RequestError if no setting of a sweep has more than one value."""
    if not any(varies(setting) for setting in space.settings):
        hint = separated(space) or "Give a setting more values, as in --vary training.learning_rate=1e-4..1e-2."
        raise RequestError("Nothing varies.", where="sweep", hint=hint)


def separated(space: Space) -> str:
    """Return a hint to separate the components of a choice, if one has several; else an empty text."""
    for setting in space.settings:
        if isinstance(setting.path, KindPath) and not varies(setting):
            (text,) = setting.values.values
            if "," in str(text):
                return f"'{text}' is one choice. For several: {_one_by_one(setting.name, str(text))}"
    return ""


def _one_by_one(name: str, text: str) -> str:
    return " ".join(f"--vary {name}={one}" for one in text.split(","))


def skipped_lines(possible: int, impossible: Sequence[str], what: str) -> list[str]:
    """Return a line that says how many combinations are skipped, and why the first; none if all are possible."""
    if not impossible:
        return []
    total = possible + len(impossible)
    return [f"{len(impossible)} of {total} {what} cannot be trained, and are skipped. The first: {impossible[0]}"]


def read_space(file: Path) -> list[str]:
    """Read a file of a space, and return its settings as the texts of `--vary`.

    The keys are paths, the values texts as on the command line, or lists with one choice each.
    """
    return space_texts(read_toml(file, "The space"), str(file))


def space_texts(table: Mapping[str, Any], where: str) -> list[str]:
    """Return the settings in a table, with the form of a file of a space, as the texts of `--vary`."""
    return [f"{path}={text}" for path, texts in _flat(table, where) for text in texts]


def _flat(table: Mapping[str, Any], where: str, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, where, f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and value:
            yield f"{prefix}{key}", [to_text(each) for each in value]
        elif isinstance(value, str | int | float):
            yield f"{prefix}{key}", [to_text(value)]
        else:
            raise RequestError(f"{prefix}{key} has no values.", where=where, hint='Write a string such as "1..4".')


def make_space(varied: Sequence[str], request: Request, session: Session, *, one_at_a_time: bool = False) -> Space:
    """Parse and check the texts of `--vary`, for trials that have everything else as in `request`.

    With `one_at_a_time`, the combinations are the first choice of each kind, and those that differ from it in one kind.

    Raises RequestError for a path or a value that does not exist, or for a component that fits no other.
    """
    texts = _by_path(varied)
    paths = {name: parse_path(name) for name in texts}
    refuse_fixed(paths.values(), request)
    kinds = [
        Setting(path, Choices(tuple(dict.fromkeys(texts[name]))))
        for name, path in paths.items()
        if isinstance(path, KindPath)
    ]
    counts = [setting.values.count or 0 for setting in kinds]
    number = 1 + sum(count - 1 for count in counts) if one_at_a_time else prod(counts)
    if number > MOST_COMBINATIONS:
        raise RequestError(
            f"The space has {number:,} combinations of components; at most {MOST_COMBINATIONS:,} can be searched.",
            where="--vary",
        )
    choices = [setting.values.values for setting in kinds]
    products = star(choices) if one_at_a_time else itertools.product(*choices)
    parameters = {path: texts[name] for name, path in paths.items() if isinstance(path, ComponentPath)}
    combinations, impossible, plan = _combinations(
        kinds, products, parameters, request, session, baseline_first=one_at_a_time
    )
    others = []
    for name, path in paths.items():
        if isinstance(path, ComponentPath):
            found = path.check(dict.fromkeys(each.components[path.kind] for each in combinations))
            others.append(Setting(path, parse_values(texts[name], found, name)))
        elif isinstance(path, SectionPath):
            others.append(Setting(path, parse_values(texts[name], [path.parameter], name)))
    return Space((*kinds, *others), combinations, impossible, plan)


def star(choices: Sequence[Sequence[Value]]) -> Iterator[tuple[Value, ...]]:
    """Yield the first choices of all settings, and then each variation of them in one setting."""
    first = tuple(values[0] for values in choices)
    yield first
    for position, values in enumerate(choices):
        for value in values[1:]:
            yield (*first[:position], value, *first[position + 1 :])


def _by_path(varied: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts of the values of each path."""
    texts: dict[str, list[str]] = {}
    for text in varied:
        path, equals, values = (part.strip() for part in text.partition("="))
        if not (path and equals and values):
            raise RequestError(
                f"'{text}' is not of the form PATH=VALUES.",
                where="--vary",
                hint="For example loss=wssce,dice, arch.unet.width=0.25,0.5 or training.learning_rate=1e-4..1e-2.",
            )
        texts.setdefault(str(parse_path(path)), []).append(values)
    if not texts:
        raise RequestError("Nothing varies.", where="sweep", hint="Add --vary PATH=VALUES, or --space FILE.toml.")
    return texts


def _combinations(
    settings: Sequence[Setting],
    products: Iterable[tuple[Value, ...]],
    parameters: Mapping[ComponentPath, list[str]],
    request: Request,
    session: Session,
    *,
    baseline_first: bool,
) -> tuple[tuple[Combination, ...], tuple[str, ...], Plan]:
    """Return the possible combinations of components, why others are impossible, and the plan of the first.

    Raises the error of a choice that is possible in no combination; and, with `baseline_first`, that of the first one.
    """
    combinations: list[Combination] = []
    impossible: list[str] = []
    errors: dict[tuple[str, Value], MarssegError] = {}
    plan: Plan | None = None
    fixed: Mapping[Kind, tuple[Entry, ...]] = {}
    for values in products:
        choices = {setting.name: value for setting, value in zip(settings, values, strict=True)}
        texts = ", ".join(f"{name}={to_text(value)}" for name, value in choices.items())
        try:
            resolved = resolve(request_of(request, choices, _required(parameters, choices, request, session)), session)
        except RequestError as error:
            for pair in choices.items():
                errors.setdefault(pair, error)
            impossible.append(f"{texts}: {error.what}" if texts else error.what)
            if not settings or (baseline_first and not combinations):
                raise
            continue
        if plan is None:
            plan = resolved
            fixed = {kind: tuple(each.entry for each in several) for kind, several in plan.resolved.items()}
        varied = {
            setting.path.kind: _entries(setting.path.kind, str(choices[setting.name]), plan.catalog)
            for setting in settings
            if isinstance(setting.path, KindPath)
        }
        combinations.append(Combination(choices, {**fixed, **varied}))
    for setting in settings:
        for value in setting.values.values:
            reason = errors.get((setting.name, value))
            if reason is not None and not combinations and not _is_about(reason, setting):
                raise reason  # it is not about what varies
            if not any(each.choices[setting.name] == value for each in combinations):
                raise _refusal(setting, str(value), reason)
    assert plan is not None
    return tuple(combinations), tuple(impossible), plan


def _required(
    parameters: Mapping[ComponentPath, list[str]], choices: Mapping[str, Value], request: Request, session: Session
) -> list[str]:
    """Return the first values, as texts of `--set`, of parameters that vary and without which a component is not valid.

    `parameters` has the texts of `--vary` of each. Those of components that the combination does not have are left out.
    """
    overrides = []
    for path, texts in parameters.items():
        text = choices.get(path.kind.option, request.compositions.get(path.kind.option))
        with suppress(RequestError):  # a wrong name, of which `resolve` says more
            entries = _entries(path.kind, str(text), session.catalog) if text is not None else ()
            for position in path.positions(entries):
                parameter = parameters_of_entry(entries[position - 1])[path.key]
                if parameter.required:
                    values = parse_values(texts, [parameter], str(path))
                    first = values.low if isinstance(values, Range) else values.values[0]
                    overrides.append(override(f"{path.kind.option}.{position}.{path.key}", first))
    return overrides


def _entries(kind: Kind, text: str, catalog: Catalog) -> tuple[Entry, ...]:
    where = f"--vary {kind.option}={text}"
    components = [named_dataset(text, where, catalog)] if kind == DATASET else parse(text, where=where)
    return tuple(catalog.find(kind, named.name, where=where) for named in components)


def _is_about(error: MarssegError, setting: Setting) -> bool:
    return (error.where or "").partition(" ")[0] == f"--{setting.name}"


def _refusal(setting: Setting, text: str, error: MarssegError | None) -> RequestError:
    """Return the error for a choice that no trial can have."""
    assert isinstance(setting.path, KindPath)
    assert error is not None
    kind, hint = setting.path.kind, error.hint
    if not kind.many and "," in text:
        hint = f"Each --vary is one choice: {_one_by_one(setting.name, text)}"
    return RequestError(error.what, where=f"--vary {setting.name}={text}", hint=hint)
