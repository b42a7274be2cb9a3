"""The space of a sweep: the settings that vary, the values of each, and which of them a trial has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..errors import MarssegError, RequestError
from ..files.documents import read_toml
from ..planning.grammar import parse
from ..planning.plan import Plan
from ..planning.recognition import named_dataset
from ..planning.resolver import Request, resolve
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import DATASET, Kind
from ..registry.parameters import Value, to_text
from ..registry.session import Session
from .paths import ComponentPath, KindPath, Path as SettingPath, SectionPath, parse_path
from .plans import refuse_fixed, request_of
from .values import Choices, Range, Values, parse_values

# The values of a trial's settings by their paths. Settings that play no part in it are left out.
Assignment: TypeAlias = Mapping[str, Value]

# Each combination of components is checked before the first trial, which takes some milliseconds.
_MOST_COMBINATIONS: Final = 5_000


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
        lines = []
        if self.impossible:
            total = len(self.combinations) + len(self.impossible)
            lines.append(
                f"{len(self.impossible)} of {total} combinations of components cannot be trained, and are skipped. "
                f"The first: {self.impossible[0]}"
            )
        data = [each.name for each in self.settings if each.name.partition(".")[0] in ("data", "split", "cleaning")]
        if data:
            names = ", ".join(data)
            lines.append(f"{names}: the trials are scored on different items, so the best may have the easiest ones.")
        return lines

    def continuous(self) -> list[str]:
        """Return the names of the settings with uncountably many values."""
        return [each.name for each in self.settings if isinstance(each.values, Range) and not each.values.integer]


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
            raise RequestError(f"{prefix}{key} has no values.", where=where, hint='Write a text such as "1..4".')


def make_space(varied: Sequence[str], request: Request, session: Session) -> Space:
    """Parse and check the texts of `--vary`, for trials that have everything else as in `request`.

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
    number = prod(setting.values.count or 0 for setting in kinds)
    if number > _MOST_COMBINATIONS:
        raise RequestError(
            f"The space has {number:,} combinations of components; at most {_MOST_COMBINATIONS:,} can be searched.",
            where="--vary",
        )
    combinations, impossible, plan = _combinations(kinds, request, session)
    others = []
    for name, path in paths.items():
        if isinstance(path, ComponentPath):
            parameters = path.check(dict.fromkeys(each.components[path.kind] for each in combinations))
            others.append(Setting(path, parse_values(texts[name], parameters, name)))
        elif isinstance(path, SectionPath):
            others.append(Setting(path, parse_values(texts[name], [path.parameter], name)))
    return Space((*kinds, *others), combinations, impossible, plan)


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
    settings: Sequence[Setting], request: Request, session: Session
) -> tuple[tuple[Combination, ...], tuple[str, ...], Plan]:
    """Return the possible combinations of components, why others are impossible, and the plan of the first.

    Raises the error of a choice that is possible in no combination.
    """
    combinations: list[Combination] = []
    impossible: list[str] = []
    errors: dict[tuple[str, Value], MarssegError] = {}
    plan: Plan | None = None
    fixed: Mapping[Kind, tuple[Entry, ...]] = {}
    for values in itertools.product(*(setting.values.values for setting in settings)):
        choices = {setting.name: value for setting, value in zip(settings, values, strict=True)}
        texts = ", ".join(f"{name}={to_text(value)}" for name, value in choices.items())
        try:
            resolved = resolve(request_of(request, choices, []), session)
        except RequestError as error:
            for pair in choices.items():
                errors.setdefault(pair, error)
            impossible.append(f"{texts}: {error.what}" if texts else error.what)
            if not settings:
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
        hint = "Each --vary is one choice: " + " ".join(f"--vary {setting.name}={one}" for one in text.split(","))
    return RequestError(error.what, where=f"--vary {setting.name}={text}", hint=hint)
