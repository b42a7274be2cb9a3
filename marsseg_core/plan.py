"""The plan: the complete, resolved description of one run.

A plan is drafted in layers, each overriding the one before: the recipe `default`, a plan file or another recipe,
what stands inline on the command line, and `--set`. Each value remembers the layer it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from . import composition, kinds, parameters
from .catalog import Catalog, Entry, load
from .components import Dataset
from .errors import PluginError, RequestError, nearest
from .kinds import KINDS, RECIPE, Kind
from .parameters import param
from .sources import recipe_path

DEFAULT_RECIPE: Final = "default"
NAME_KEYS: Final = ("name", "distribution", "version")

Monitor = Literal["val_miou", "val_loss", "val_accuracy", "loss"]


@dataclass(frozen=True)
class LossOptions:
    """What every loss takes besides its own parameters."""

    weight: float = param(1.0, help="factor of this loss in the objective", minimum=0)


@dataclass(frozen=True)
class AugmentationOptions:
    """What every augmentation takes besides its own parameters."""

    p: float = param(0.5, help="probability with which an image is changed", minimum=0, maximum=1)


@dataclass(frozen=True)
class NoOptions:
    """The kinds to which the core adds no parameter."""


def options_of(kind: Kind) -> type[LossOptions | AugmentationOptions | NoOptions]:
    """The parameters that the core adds to every component of a kind, as a dataclass."""
    if kind == kinds.LOSS:
        return LossOptions
    return AugmentationOptions if kind == kinds.AUGMENTATION else NoOptions


@dataclass(frozen=True)
class SplitOptions:
    """How the data is parted. The test part is scored once, at the end, and chooses nothing."""

    validation: float = param(0.15, help="share of the images that choose the best epoch", above=0, maximum=0.9)
    test: float = param(0.15, help="share of the images that give the final score", above=0, maximum=0.9)
    seed: int = param(0, help="draws the parts; apart from the training's seed, so that runs compare", minimum=0)

    def __post_init__(self) -> None:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: int = param(7, help="passes over the training part", minimum=1)
    batch: int = param(8, help="images per step", minimum=1)
    learning_rate: float = param(1e-3, help="the learning rate at the start", above=0)
    weight_decay: float = param(0.004, help="AdamW's decoupled weight decay", minimum=0)
    seed: int = param(0, help="draws weights, dropout, order and augmentations", minimum=0, maximum=2**32 - 1)
    patience: int | None = param(None, help="stop after this many epochs without a better `monitor`", minimum=1)
    monitor: Monitor = param("val_miou", help="what early stopping watches; the best network is kept by val_miou")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = param(
        "float32", help="dtype policy of the network; losses and scores stay float32"
    )
    workers: int = param(1, help="threads that prepare batches; the numbers do not depend on it", minimum=1)
    deterministic: bool = param(True, help="ask the backend for repeatable kernels (slower on a GPU)")
    score_training: bool = param(False, help="score the training part too after each epoch")


SECTIONS: Final[Mapping[str, type[SplitOptions | TrainingOptions]]] = {
    "split": SplitOptions,
    "training": TrainingOptions,
}


@dataclass(frozen=True)
class Chosen:
    """A component of a plan: who provides it, how it is set, and where each value came from."""

    entry: Entry
    component: Any
    options: LossOptions | AugmentationOptions | NoOptions
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, parameters.Value]:
        return parameters.settings(self.component) | parameters.settings(self.options)

    def to_toml(self) -> dict[str, Any]:
        names = {"name": self.entry.name, "distribution": self.entry.distribution, "version": self.entry.version}
        return names | {key: parameters.to_toml(value) for key, value in self.values.items()}


@dataclass(frozen=True)
class Plan:
    """Everything a run is made of. `chosen` holds each kind's components in order."""

    chosen: Mapping[Kind, tuple[Chosen, ...]]
    split: SplitOptions
    training: TrainingOptions
    section_origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def components(self, kind: Kind) -> tuple[Any, ...]:
        return tuple(chosen.component for chosen in self.chosen[kind])

    def one(self, kind: Kind) -> Any:
        """The component of a kind of which there is exactly one."""
        return self.chosen[kind][0].component

    @property
    def name(self) -> str:
        """What its run folder is called: the name of the architecture."""
        return self.chosen[kinds.ARCHITECTURE][0].entry.name

    def rows(self) -> list[tuple[str, str, str]]:
        """(setting, value, origin) for every value of the plan."""
        rows = []
        for kind in KINDS:
            for position, chosen in enumerate(self.chosen[kind], start=1):
                twice = sum(other.entry == chosen.entry for other in self.chosen[kind]) > 1
                path = f"{kind.option}.{position if twice else chosen.entry.name}"
                rows.append((kind.option, chosen.entry.name, chosen.origins["name"]))
                for key, value in chosen.values.items():
                    rows.append((f"{path}.{key}", parameters.to_text(value), chosen.origins.get(key, "default")))
            if not self.chosen[kind]:
                rows.append((kind.option, parameters.NONE_WORD, self.section_origins[kind.option]["name"]))
        for section in SECTIONS:
            for key, value in parameters.settings(getattr(self, section)).items():
                origin = self.section_origins.get(section, {}).get(key, "default")
                rows.append((f"{section}.{key}", parameters.to_text(value), origin))
        return rows

    def to_toml(self) -> str:
        """The whole plan as TOML text, which `resolve` reads back to an equal plan."""
        import tomli_w

        document: dict[str, Any] = {}
        for kind in KINDS:
            tables = [chosen.to_toml() for chosen in self.chosen[kind]]
            document[kind.option] = tables if kind.many else tables[0]
        for section in SECTIONS:
            values = parameters.settings(getattr(self, section))
            document[section] = {key: parameters.to_toml(value) for key, value in values.items()}
        return tomli_w.dumps(document)


@dataclass(frozen=True)
class Request:
    """A run in the user's words.

    `base` names a recipe, a plan file or a run folder; `words` has a composition text for each kind's option
    ("arch", "loss", …) that was given; `sections` the values given to "training" and "split"; `sets` the texts of
    `--set`.
    """

    base: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sets: Sequence[str] = ()


def resolve(request: Request, catalog: Catalog) -> Plan:
    """Draft the plan layer by layer, then build and check every component.

    Raises RequestError for what is wrong in the request, PluginError for a component that is broken. Imports the
    modules of the chosen components, and Keras only if one of them does.
    """
    draft = _Draft(catalog)
    default_file = _find_recipe(DEFAULT_RECIPE, catalog)
    draft.add_document(_read_toml(default_file), origin="default", where=f"recipe {DEFAULT_RECIPE}")
    if request.base is not None:
        document, origin = _base_document(request.base, catalog)
        draft.add_document(document, origin=origin, where=origin)
    for kind in KINDS:
        if kind.option in request.words:
            draft.add_words(kind, request.words[kind.option])
    for section, values in request.sections.items():
        draft.add_section(section, values, origin="command line", where=f"--{section}")
    draft.add_sets(request.sets)
    return draft.finish()


def _base_document(base: str, catalog: Catalog) -> tuple[dict[str, Any], str]:
    path = Path(base)
    # A Path's own methods raise for a name that is too long. A folder that is no run may share a recipe's name.
    if os.path.isfile(os.path.join(base, "plan.toml")):
        path = path / "plan.toml"
    if os.path.isfile(path):
        return _read_toml(path), f"file {path}"
    if path.suffix == ".toml" or path.is_absolute() or path.name == "plan.toml":
        raise RequestError(
            f"There is no plan file '{base}'.", where="--plan", hint="`marsseg list recipe` lists recipes."
        )
    return _read_toml(_find_recipe(base, catalog)), f"recipe {base}"


def _find_recipe(name: str, catalog: Catalog) -> Path:
    entry = catalog.find(RECIPE, name, where="--plan")
    path = recipe_path(entry)
    if path is None:
        raise PluginError(f"The file of the {entry.label} is missing.", where=entry.target)
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise RequestError(f"The plan cannot be read: {cause.strerror}.", where=str(path)) from cause
    except ValueError as cause:  # malformed TOML, or bytes that are not UTF-8
        raise RequestError(f"The plan is not TOML: {cause}.", where=str(path)) from cause


@dataclass(eq=False)
class _Values:
    """Values in a draft, each with the layer that gave it."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def set(self, values: Mapping[str, Any], origin: str) -> None:
        self.values.update(values)
        self.origins.update(dict.fromkeys(values, origin))


@dataclass(eq=False)
class _Item(_Values):
    """A component in a draft."""

    entry: Entry = field(kw_only=True)
    origin: str = field(kw_only=True)


class _Draft:
    """A plan while its layers are put on each other: items by kind, values by section, nothing checked yet."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.items: dict[Kind, list[_Item]] = {}
        self.kind_origins: dict[Kind, str] = {}
        self.sections: dict[str, _Values] = {name: _Values() for name in SECTIONS}

    def add_document(self, document: Mapping[str, Any], *, origin: str, where: str) -> None:
        known = [kind.option for kind in KINDS] + list(SECTIONS) + ["summary"]
        for key in document:
            if key not in known:
                raise RequestError(f"'{key}' is no part of a plan.", where=where, hint=nearest(key, known))
        for kind in KINDS:
            if kind.option in document:
                named = _named_in_document(document[kind.option], where=f"{where}, {kind.option}")
                self._overlay(kind, named, origin, where=f"{where}, {kind.option}")
        for section in SECTIONS:
            if section in document:
                if not isinstance(document[section], Mapping):
                    raise RequestError(f"'{section}' must be a table.", where=where, hint=f"Write it as [{section}].")
                self.add_section(section, document[section], origin=origin, where=f"{where}, {section}")

    def add_words(self, kind: Kind, text: str) -> None:
        where = f"--{kind.option} {text}"
        named = [self._dataset(text, where)] if kind == kinds.DATASET else composition.parse(text, where=where)
        self._overlay(kind, named, "command line", where)

    def add_section(self, section: str, values: Mapping[str, Any], *, origin: str, where: str) -> None:
        for key in values:
            self._check_section_key(section, key, where)
        self.sections[section].set(values, origin)

    def _check_section_key(self, section: str, key: str, where: str) -> None:
        known = parameters.parameters_of(SECTIONS[section])
        if key not in known:
            raise RequestError(f"There is no '{key}' in {section}.", where=where, hint=nearest(key, known))

    def add_sets(self, texts: Sequence[str]) -> None:
        seen: set[tuple[int, str]] = set()
        for text in texts:
            where = f"--set {text}"
            path, equals, value = text.partition("=")
            option, _, rest = path.strip().partition(".")
            if not equals or not rest:
                hint = "The form is kind.name.key=value, as in arch.dense.width=0.5, or training.epochs=20."
                raise RequestError(f"'{text}' is not a setting.", where="--set", hint=hint)
            target: _Values
            if option in SECTIONS:
                target, key = self.sections[option], rest
                self._check_section_key(option, key, where)
            else:
                target, key = self._target(option, rest, where)
            if (id(target), key) in seen:
                raise RequestError(f"'{path}' is set twice.", where=where, hint="Keep one of the two.")
            seen.add((id(target), key))
            target.set({key: value.strip()}, "--set")

    def finish(self) -> Plan:
        chosen = {}
        for kind in KINDS:
            items = self.items.get(kind, [])
            if not items and (not kind.many or kind == kinds.LOSS):
                hint = f"Installed {kind} names: {', '.join(self.catalog.names(kind))}."
                raise RequestError(f"A run needs {kind.with_article}.", where=f"--{kind.option}", hint=hint)
            if len(items) > 1 and not kind.many:
                names = ", ".join(item.entry.name for item in items)
                raise RequestError(f"A run has one {kind}; these are {len(items)}: {names}.", where=f"--{kind.option}")
            chosen[kind] = tuple(self._choose(kind, item) for item in items)
        architecture = chosen[kinds.ARCHITECTURE][0]
        if chosen[kinds.BOTTLENECK] and not architecture.component.takes_bottleneck:
            raise RequestError(
                f"The architecture '{architecture.entry.name}' has no place for a bottleneck.",
                where="--bottleneck",
                hint="Leave it out, or say --bottleneck none where the plan has one.",
            )
        origins: dict[str, Mapping[str, str]] = {name: item.origins for name, item in self.sections.items()}
        origins |= {kind.option: {"name": origin} for kind, origin in self.kind_origins.items()}
        split = parameters.configure(SplitOptions, self.sections["split"].values, where="split")
        training = parameters.configure(TrainingOptions, self.sections["training"].values, where="training")
        return Plan(chosen, split, training, origins)

    def _overlay(self, kind: Kind, named: Sequence[composition.Named], origin: str, where: str) -> None:
        """Replace the items of a kind; one that was there before keeps the values that are not given anew."""
        before = list(self.items.get(kind, []))
        after = []
        for name in named:
            entry = self.catalog.find(kind, name.name, where=where)
            same = next((item for item in before if item.entry == entry), None)
            if same is not None:
                before.remove(same)
            else:
                same = _Item(entry=entry, origin=origin)
            same.origin = origin
            same.set(name.parameters, origin)
            after.append(same)
        self.items[kind] = after
        self.kind_origins[kind] = origin

    def _dataset(self, text: str, where: str) -> composition.Named:
        """`--data` takes the name of a data set, or a path that one of them recognises."""
        if self.catalog.named(text.partition(":")[0], [kinds.DATASET]):
            named = composition.parse(text, where=where)
            if len(named) > 1:
                raise RequestError("A run has one data set.", where=where)
            return named[0]
        path = Path(text)
        if not os.path.exists(path):  # a Path's own raises for a name that is too long
            if "/" in text or path.suffix:
                raise RequestError(f"There is no file or folder '{text}'.", where=where)
            self.catalog.find(kinds.DATASET, text.partition(":")[0], where=where)
        entries = self.catalog.of_kind(kinds.DATASET)
        owners = [entry for entry in entries if entry.usable and _recognises(entry, path)]
        names = ", ".join(self.catalog.names(kinds.DATASET))
        if not owners:
            raise RequestError(f"No data set recognises '{text}'.", where=where, hint=f"Installed: {names}.")
        if len(owners) > 1:
            rivals = ", ".join(entry.qualified_name for entry in owners)
            hint = f"Name one, as in --data {owners[0].qualified_name}:path={text}."
            raise RequestError(f"Several data sets recognise '{text}': {rivals}.", where=where, hint=hint)
        return composition.Named(owners[0].qualified_name, {"path": str(path.resolve())})

    def _target(self, option: str, rest: str, where: str) -> tuple[_Item, str]:
        """The item and the key that `--set option.name.key` means; a number is a position from 1."""
        kind = next((kind for kind in KINDS if option in (kind.option, kind.name)), None)
        if kind is None:
            known = [kind.option for kind in KINDS] + list(SECTIONS)
            raise RequestError(f"'{option}' cannot be set.", where=where, hint=nearest(option, known))
        name, dot, key = rest.rpartition(".")
        items = self.items.get(kind, [])
        names = ", ".join(item.entry.name for item in items) or "none"
        if not dot:
            hint = f"The form is {option}.name.key=value; the plan's {kind}: {names}."
            raise RequestError(f"'{option}.{rest}' lacks a name.", where=where, hint=hint)
        if name.isdecimal():
            if not 1 <= int(name) <= len(items):
                hint = f"Positions count from 1; the plan's {kind}: {names}."
                raise RequestError(f"There is no {kind} at position {name}.", where=where, hint=hint)
            return items[int(name) - 1], key
        meant = self.catalog.named(name, [kind])
        matching = [item for item in items if item.entry in meant]
        if not matching:
            if not meant:
                self.catalog.find(kind, name, where=where)
            raise RequestError(f"The plan has no {kind} '{name}'.", where=where, hint=f"It has: {names}.")
        if len(matching) > 1:
            hint = f"Give its position, as in {option}.{items.index(matching[-1]) + 1}.{key}=…"
            raise RequestError(f"'{name}' stands {len(matching)} times in the plan.", where=where, hint=hint)
        return matching[0], key

    def _choose(self, kind: Kind, item: _Item) -> Chosen:
        cls = load(item.entry)
        options_class = options_of(kind)
        own, core = parameters.parameters_of(cls), parameters.parameters_of(options_class)
        if taken := sorted(set(own) & {*core, *NAME_KEYS}):
            raise PluginError(
                f"The {item.entry.label} has a parameter called '{taken[0]}', which marsseg uses itself.",
                where=item.entry.target,
            )
        for key, origin in item.origins.items():
            if key not in own and key not in core:
                raise RequestError(
                    f"The {kind} '{item.entry.name}' has no parameter '{key}'.",
                    where=f"{kind.option}, {origin}",
                    hint=nearest(key, [*own, *core], listing="Its parameters"),
                )
        where = f"{kind.option} {item.entry.name}"
        component = parameters.configure(
            cls, {key: value for key, value in item.values.items() if key in own}, where=where
        )
        for part_kind, text in component.compositions():
            composition.components(part_kind, text, self.catalog)
        options = parameters.configure(
            options_class, {key: value for key, value in item.values.items() if key in core}, where=where
        )
        return Chosen(item.entry, component, options, item.origins | {"name": item.origin})


def _recognises(entry: Entry, path: Path) -> bool:
    try:
        cls: type[Dataset] = load(entry)
        return bool(cls.recognises(path))
    except Exception:
        return False  # a broken plugin claims nothing; asked for by name, it is reported


def _named_in_document(value: Any, *, where: str) -> list[composition.Named]:
    """The components of one kind in a plan file: a composition text, a table, or a list of them."""
    if isinstance(value, str):
        return composition.parse(value, where=where)
    if isinstance(value, Mapping):
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise RequestError("A component's table lacks its name.", where=where, hint='Add name = "…".')
        distribution = value.get("distribution")
        full_name = f"{distribution}/{name}" if distribution else name
        return [composition.Named(full_name, {k: v for k, v in value.items() if k not in NAME_KEYS})]
    if isinstance(value, list):
        return [named for item in value for named in _named_in_document(item, where=where)]
    raise RequestError(f"{value!r} names no component.", where=where, hint='Write a text such as "transformer,aspp".')
