"""From a request in the user's words to a plan.

A plan is drafted in layers, each overriding the one before: the recipe `default`, a plan file or another recipe,
what stands inline on the command line, and `--set`. Each value remembers the layer it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..components.given import given_entry, holding
from ..components.interfaces import Dataset
from ..data.cleaning_options import CleaningOptions
from ..data.split_options import SplitOptions
from ..errors import PluginError, RequestError, nearest
from ..files.run_folder import RunFolder
from ..files.text import read_text
from ..registry import kinds, parameters
from ..registry.catalog import Catalog
from ..registry.distribution import DISTRIBUTION
from ..registry.entries import INVALID, Entry
from ..registry.kinds import COMPONENT_KINDS, METRIC, OBSERVER, PLAN_KINDS, RECIPE, Kind
from ..registry.loading import load, plugin_errors_named
from ..registry.plugin_files import KEY as PLUGIN_KEY, SUFFIX, LocalPlugin, given_plugins, planned_plugins
from ..registry.session import Session
from ..registry.source_code import recipe_path
from . import grammar
from .invoke import call_component, call_or_refuse, nested_components
from .metrics import canonical_monitor, planned_metrics
from .moved_keys import MOVED_TO_KIND, with_keys_of_today
from .options import SECTIONS, LossOptions, TrainingOptions, options_of
from .plan import NAME_KEYS, Plan
from .python_components import Given, defined_plugins, named_components
from .resolved import ResolvedComponent, weighting_spec

DEFAULT_RECIPE: Final = "default"

# The origin of what a plan means that a run wrote before there was such a kind or parameter.
_BEFORE: Final = "a plan from before"


@dataclass(frozen=True)
class Request:
    """A run in the user's words.

    `base` names a recipe, a plan file or a run folder; `compositions` has a text, or what was given in Python, for each
    kind's option ("arch", "loss", …) that was given; `sections` the values given to "training" and "split"; `overrides`
    the texts of `--set`; `plugins` are files of components and hooks.
    """

    base: str | None = None
    compositions: Mapping[str, Given] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    plugins: Sequence[str | Path] = ()


def resolve(request: Request, session: Session, *, only: Collection[Kind] = COMPONENT_KINDS) -> Plan:
    """Draft the plan layer by layer, then build and check every component.

    Raises RequestError for what is wrong in the request, PluginError for a component that is broken. Imports the
    modules of the chosen components, and Keras only if one of them does. With `only` the plan has the components of
    these kinds alone: what reads a finished run need not have the others installed.
    """
    catalog = session.catalog
    documents = [_recipe_document(DEFAULT_RECIPE, catalog, origin="default")]
    if request.base is not None:
        documents.append(_base_document(request.base, catalog))
    plugins = given_plugins(request.plugins)
    if any(not isinstance(given, str) for given in request.compositions.values()):
        files = catalog.with_more(entry for plugin in plugins for entry in plugin.entries)
        plugins += defined_plugins(request.compositions, files)
    # A whole plan is that of a run, which the hooks in its files watch.
    wanted = (*only, OBSERVER) if set(only) >= set(PLAN_KINDS) else only
    for document in documents:
        plugins += planned_plugins(
            document.values, document.folder, document.origin, plugins, wanted, trust=session.trust
        )
    if plugins:
        catalog = catalog.with_more(entry for plugin in plugins for entry in plugin.entries)
    builder = PlanBuilder(replace(session, catalog=catalog), plugins, only)
    for document in documents:
        builder.add_document(document)
    builder.add_defaults()
    for kind in PLAN_KINDS:
        if kind.option in request.compositions:
            builder.add_compositions(kind, request.compositions[kind.option])
    for section, values in request.sections.items():
        builder.add_section(section, values, origin="command line", where=f"--{section}")
    builder.add_overrides(request.overrides)
    return builder.finish()


@dataclass(frozen=True)
class _Document:
    """A plan file that was read: its values, what error texts call it, and the distribution that a recipe is of.

    One that is `whole` was written by a run: it says all that there was to say then.
    """

    values: Mapping[str, Any]
    folder: Path
    origin: str
    where: str
    distribution: str | None = None
    whole: bool = False


def _base_document(base: str, catalog: Catalog) -> _Document:
    path = Path(base)
    # A Path's own methods raise for a name that is too long. A folder that is no run may share a recipe's name.
    if os.path.isfile(os.path.join(base, "plan.toml")):
        path = path / "plan.toml"
    if os.path.isfile(path):
        whole = RunFolder(path.parent).split.is_file()
        return _Document(_read_toml(path), path.parent, f"file {path}", f"file {path}", whole=whole)
    if path.suffix == ".toml" or path.is_absolute() or path.name == "plan.toml":
        raise RequestError(
            f"There is no plan file '{base}'.", where="--plan", hint="`marsseg list recipe` lists recipes."
        )
    return _recipe_document(base, catalog, origin=f"recipe {base}")


def _recipe_document(name: str, catalog: Catalog, origin: str) -> _Document:
    # The recipe that every plan starts from is marsseg's, whoever else has one of its name.
    entry = catalog.find(RECIPE, name, where="--plan", prefer=DISTRIBUTION if origin == DEFAULT_RECIPE else None)
    path = recipe_path(entry)
    if path is None:
        raise PluginError(f"The file of the {entry.label} is missing.", where=entry.target)
    return _Document(_read_toml(path), path.parent, origin, f"recipe {name}", entry.distribution)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as cause:
        raise RequestError(f"The plan cannot be read: {cause.strerror}.", where=str(path)) from cause
    except ValueError as cause:  # malformed TOML, or bytes that are not UTF-8
        raise RequestError(f"The plan is not TOML: {cause}.", where=str(path)) from cause


@dataclass(eq=False)
class _Values:
    """Values in a builder, each with the layer that gave it."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def set(self, values: Mapping[str, Any], origin: str) -> None:
        self.values.update(values)
        self.origins.update(dict.fromkeys(values, origin))


@dataclass(eq=False)
class _Item(_Values):
    """A component in a builder.

    `version` is that of its distribution in the plan file that names it; `held` is what was given in Python and it
    stands for; `problem` says why such a one cannot be had: a later layer may do without it.
    """

    entry: Entry = field(kw_only=True)
    origin: str = field(kw_only=True)
    version: str = field(default="", kw_only=True)
    held: Any = field(default=None, kw_only=True)
    problem: RequestError | None = field(default=None, kw_only=True)


class PlanBuilder:
    """A plan while its layers are put on each other: items by kind, values by section, nothing checked yet."""

    def __init__(self, session: Session, plugins: tuple[LocalPlugin, ...], only: Collection[Kind]) -> None:
        self.session = session
        self.catalog = session.catalog
        self.plugins = plugins
        self.only = only
        self.items: dict[Kind, list[_Item]] = {}
        self.kind_origins: dict[Kind, str] = {}
        self.sections: dict[str, _Values] = {name: _Values() for name in SECTIONS}

    def add_document(self, document: _Document) -> None:
        values, origin, where = document.values, document.origin, document.where
        known = [kind.option for kind in PLAN_KINDS] + list(SECTIONS) + [PLUGIN_KEY, "summary"]
        for key in values:
            if key not in known:
                raise RequestError(f"'{key}' is no part of a plan.", where=where, hint=nearest(key, known))
        values = with_keys_of_today(values)
        for kind in PLAN_KINDS:
            if kind.option in values:
                named = _named_in_document(values[kind.option], where=f"{where}, {kind.option}")
                self._overlay(kind, named, origin, f"{where}, {kind.option}", document)
            elif document.whole and kind.absent:
                self._overlay(kind, grammar.parse(kind.absent), _BEFORE, f"{where}, {kind.option}")
        for section in SECTIONS:
            if section in values:
                if not isinstance(values[section], Mapping):
                    raise RequestError(f"'{section}' must be a table.", where=where, hint=f"Write it as [{section}].")
                self.add_section(section, values[section], origin=origin, where=f"{where}, {section}")
            if document.whole:
                self.sections[section].set(_absent(SECTIONS[section], values.get(section, {})), _BEFORE)

    def add_defaults(self) -> None:
        """What the registrations of kinds say, for those that no document mentions."""
        for kind in PLAN_KINDS:
            if kind.absent and kind not in self.items:
                self._overlay(kind, grammar.parse(kind.absent), "default", f"--{kind.option}")

    def add_compositions(self, kind: Kind, given: Given) -> None:
        if isinstance(given, str):
            self._overlay(kind, self._in_text(kind, given), "command line", f"--{kind.option} {given}")
        else:
            named = named_components(kind, given, self.catalog, partial(self._in_text, kind))
            self._overlay(kind, named, "Python", kind.option)

    def _in_text(self, kind: Kind, text: str) -> list[grammar.Named]:
        where = f"--{kind.option} {text}"
        return [self._dataset(text, where)] if kind == kinds.DATASET else grammar.parse(text, where=where)

    def add_section(self, section: str, values: Mapping[str, Any], *, origin: str, where: str) -> None:
        for key in values:
            self._check_section_key(section, key, where)
        self.sections[section].set(values, origin)

    def _check_section_key(self, section: str, key: str, where: str) -> None:
        known = parameters.parameters_of(SECTIONS[section])
        if kind := MOVED_TO_KIND.get((section, key)):
            hint = f"It is a component: --{kind.option} NAME, or --set {kind.option}.NAME.KEY=VALUE."
            raise RequestError(f"There is no '{key}' in {section}.", where=where, hint=hint)
        if key not in known:
            raise RequestError(f"There is no '{key}' in {section}.", where=where, hint=nearest(key, known))

    def add_overrides(self, texts: Sequence[str]) -> None:
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
        for kind in filter(self.only.__contains__, PLAN_KINDS):
            items = self.items.get(kind, [])
            if not items and kind.in_plan != "any":
                hint = f"Installed {kind} names: {', '.join(self.catalog.names(kind))}."
                raise RequestError(f"A run needs {kind.with_article}.", where=f"--{kind.option}", hint=hint)
            if len(items) > 1 and not kind.many:
                names = ", ".join(item.entry.name for item in items)
                raise RequestError(f"A run has one {kind}; these are {len(items)}: {names}.", where=f"--{kind.option}")
            chosen[kind] = tuple(self._choose(kind, item) for item in items)
        self._check_bottleneck(chosen)
        self._pin_start()
        self._name_monitor()
        origins: dict[str, Mapping[str, str]] = {name: item.origins for name, item in self.sections.items()}
        origins |= {kind.option: {"name": origin} for kind, origin in self.kind_origins.items()}
        self._check_losses(chosen)
        training = parameters.configure(TrainingOptions, self.sections["training"].values, where="training")
        self._check_weighting(chosen)
        self._check_schedule(chosen, training.epochs)
        cleaning = parameters.configure(CleaningOptions, self.sections["cleaning"].values, where="cleaning")
        split = parameters.configure(SplitOptions, self.sections["split"].values, where="split")
        if METRIC in self.only:
            planned_metrics(training, self.catalog)
        return Plan(chosen, cleaning, split, training, origins, self.plugins, self.session)

    def _check_bottleneck(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        for architecture in chosen.get(kinds.ARCHITECTURE, ()):
            if chosen.get(kinds.BOTTLENECK) and not architecture.component.takes_bottleneck:
                raise RequestError(
                    f"The architecture '{architecture.entry.name}' has no place for a bottleneck.",
                    where="--bottleneck",
                    hint="Leave it out, or say --bottleneck none where the plan has one.",
                )

    def _check_losses(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        """Whether there is anything to learn, and the weighting can work with the losses."""
        losses = chosen.get(kinds.LOSS, ())
        if losses and not any(isinstance(each.options, LossOptions) and each.options.weight for each in losses):
            raise RequestError(
                "Every loss has the weight 0: there is nothing to learn.",
                where=f"--loss, {', '.join(each.entry.name for each in losses)}",
                hint="A weight of 0 is for a loss that is only to be logged beside others.",
            )

    def _check_weighting(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        if not {kinds.WEIGHTING, kinds.LOSS} <= set(chosen):
            return
        weighting = chosen[kinds.WEIGHTING][0]
        call_or_refuse(weighting, weighting.component.check, weighting_spec(chosen[kinds.LOSS]))
        if not call_component(weighting, lambda: weighting.component.needs_nonnegative):
            return
        for loss in chosen[kinds.LOSS]:
            if call_component(loss, lambda loss=loss: loss.component.may_be_negative):
                raise RequestError(
                    f"The weighting '{weighting.entry.name}' cannot work with the loss '{loss.entry.name}': "
                    "it needs losses that are never negative.",
                    where=f"loss {loss.entry.name}, {loss.component!r}",
                    hint=f"`marsseg show {loss.entry.name}` tells its forms; the weightings fixed and scheduled "
                    "take any loss.",
                )

    def _check_schedule(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]], epochs: int) -> None:
        for schedule in chosen.get(kinds.SCHEDULE, ()):
            call_or_refuse(schedule, schedule.component.check, epochs)

    def _pin_start(self) -> None:
        """Name the run to start from by its whole path and its network's hash, unless its own layer gives the hash."""
        section = self.sections["training"]
        if "init" not in section.values:
            return
        start, origin = section.values["init"], section.origins["init"]
        if section.origins.get("init_hash", origin) not in (origin, "--set"):
            section.set({"init_hash": None}, origin)  # of a run that a lower layer named
        if not isinstance(start, str) or start == parameters.NONE_WORD:
            return
        path = Path(start).absolute()
        given = section.values.get("init_hash") or parameters.NONE_WORD
        if given == parameters.NONE_WORD:
            section.set({"init_hash": RunFolder.open(path).network_hash()}, origin)
        section.set({"init": str(path)}, origin)

    def _name_monitor(self) -> None:
        """Write what is monitored in one way, however it was given, so that equal plans are equal."""
        section = self.sections["training"]
        if isinstance(text := section.values.get("monitor"), str):
            section.set({"monitor": canonical_monitor(text, self.catalog)}, section.origins["monitor"])

    def _overlay(
        self,
        kind: Kind,
        named: Iterable[grammar.Named],
        origin: str,
        where: str,
        document: _Document | None = None,
    ) -> None:
        """Replace the items of a kind; one that was there before keeps the values that are not given anew."""
        before = list(self.items.get(kind, []))
        after = []
        for name in named:
            entry, problem = self._found(kind, name, where, document)
            same = next((item for item in before if item.entry == entry), None)
            if same is not None:
                before.remove(same)
            else:
                same = _Item(entry=entry, origin=origin, problem=problem)
            same.origin = origin
            same.version = name.version or same.version
            same.held = name.held
            same.set(name.parameters, origin)
            after.append(same)
        self.items[kind] = after
        self.kind_origins[kind] = origin

    def _found(
        self, kind: Kind, name: grammar.Named, where: str, document: _Document | None
    ) -> tuple[Entry, RequestError | None]:
        """The entry that a name means; for what a plan file names and is not there, one in its place and the reason."""
        if (given := given_entry(kind, name.name)) is not None:
            return given, None
        prefer = document.distribution if document else None
        try:
            return self.catalog.find(kind, name.name, where=where, prefer=prefer), None
        except RequestError as problem:
            if document is None:
                raise
            distribution, _, short = name.name.rpartition("/")
            missing = Entry(kind, short, "", distribution, name.version, status=INVALID, reason=problem.what)
            if not distribution or self.catalog.named(name.name, [kind]):
                return missing, problem
            return missing, self._missing(missing, where)

    def _missing(self, entry: Entry, where: str) -> RequestError:
        """What to install for a component that a plan file names."""
        if entry.distribution.endswith(SUFFIX):
            hint = f"--plugin {entry.distribution} gives the file again."
        else:
            version = f"=={entry.version}" if entry.version else ""
            hint = f"Install it: pip install {entry.distribution}{version}"
        other = next((e for e in self.catalog.entries if e.distribution == entry.distribution), None)
        there = f"; {other.provider} has none" if other else ""
        return RequestError(f"The plan needs the {entry.label}, which is not installed{there}.", where=where, hint=hint)

    def _dataset(self, text: str, where: str) -> grammar.Named:
        """`--data` takes the name of a data set, or a path that one of them recognises."""
        if self.catalog.named(text.partition(":")[0], [kinds.DATASET]):
            named = grammar.parse(text, where=where)
            if len(named) > 1:
                raise RequestError("A run has one data set.", where=where)
            return named[0]
        path = Path(text)
        if not os.path.exists(path):  # a Path's own raises for a name that is too long
            if "/" in text or path.suffix:
                raise RequestError(f"There is no file or folder '{text}'.", where=where)
            self.catalog.find(kinds.DATASET, text.partition(":")[0], where=where)
        owners = datasets_that_recognise(path, self.catalog)
        names = ", ".join(self.catalog.names(kinds.DATASET))
        if not owners:
            raise RequestError(f"No data set recognises '{text}'.", where=where, hint=f"Installed: {names}.")
        if len(owners) > 1:
            rivals = ", ".join(entry.qualified_name for entry in owners)
            hint = f"Name one, as in --data {owners[0].qualified_name}:path={text}."
            raise RequestError(f"Several data sets recognise '{text}': {rivals}.", where=where, hint=hint)
        return grammar.Named(owners[0].qualified_name, {"path": str(path.resolve())})

    def _target(self, option: str, rest: str, where: str) -> tuple[_Item, str]:
        """The item and the key that `--set option.name.key` means; a number is a position from 1."""
        kind = next((kind for kind in PLAN_KINDS if option in (kind.option, kind.name)), None)
        if kind is None:
            known = [kind.option for kind in PLAN_KINDS] + list(SECTIONS)
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

    def _choose(self, kind: Kind, item: _Item) -> ResolvedComponent:
        if item.problem is not None:
            raise item.problem
        try:
            return self._configured(kind, item)
        except RequestError as error:
            if item.version in ("", item.entry.version):
                raise
            name = item.entry.distribution
            made = f"The plan was made with {name} {item.version}; this is {item.entry.provider}."
            hint = " ".join(filter(None, (error.hint, made, f"The one before: pip install {name}=={item.version}")))
            raise RequestError(error.what, where=error.where, hint=hint) from error

    def _configured(self, kind: Kind, item: _Item) -> ResolvedComponent:
        cls = load(item.entry)
        options_class = options_of(kind)
        own, core = parameters.parameters_of(cls), parameters.parameters_of(options_class)
        if taken := sorted(set(own) & {*core, *NAME_KEYS}):
            raise PluginError(
                f"The {item.entry.label} has a parameter called '{taken[0]}', which marsseg uses itself.",
                where=item.entry.target,
            )
        if item.version:  # from a plan that a run wrote, with every parameter that there was then
            item.set(_absent(cls, item.values), _BEFORE)
        for key, origin in item.origins.items():
            if key not in own and key not in core:
                raise RequestError(
                    f"The {kind} '{item.entry.name}' has no parameter '{key}'.",
                    where=f"{kind.option}, {origin}",
                    hint=nearest(key, [*own, *core], listing="Its parameters"),
                )
        if kind == kinds.DATASET and isinstance(item.values.get("path"), str):
            # The run folder's plan is read from other places too.
            item.values["path"] = os.path.abspath(os.path.expanduser(item.values["path"]))
        where = f"{kind.option} {item.entry.name}"
        with plugin_errors_named(item.entry, "failed"):
            component = parameters.configure(
                cls, {key: value for key, value in item.values.items() if key in own}, where=where
            )
            nested = tuple(
                each
                for nested_kind, text in component.compositions()
                for each in nested_components(nested_kind, text, self.catalog, item.entry)
            )
        if item.held is not None:
            component = holding(component, item.held)
        options = parameters.configure(
            options_class, {key: value for key, value in item.values.items() if key in core}, where=where
        )
        return ResolvedComponent(
            item.entry, component, options, item.origins | {"name": item.origin}, item.version, nested
        )


def _absent(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a plan does not give, with what it meant that a run wrote before there were such."""
    known = parameters.parameters_of(cls).items()
    return {key: each.absent for key, each in known if each.absent is not MISSING and key not in given}


def datasets_that_recognise(path: Path, catalog: Catalog) -> list[Entry]:
    """The data sets that a file or folder is for."""
    return [entry for entry in catalog.of_kind(kinds.DATASET) if entry.usable and _recognises(entry, path)]


def _recognises(entry: Entry, path: Path) -> bool:
    try:
        cls: type[Dataset] = load(entry)
        return bool(cls.recognises(path))
    except (Exception, SystemExit):
        return False  # a broken plugin claims nothing; asked for by name, it is reported


def _named_in_document(value: Any, *, where: str) -> list[grammar.Named]:
    """The components of one kind in a plan file: a composition text, a table, or a list of them."""
    if isinstance(value, str):
        return grammar.parse(value, where=where)
    if isinstance(value, Mapping):
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise RequestError("A component's table lacks its name.", where=where, hint='Add name = "…".')
        distribution = value.get("distribution")
        full_name = f"{distribution}/{name}" if distribution else name
        values = {key: given for key, given in value.items() if key not in NAME_KEYS}
        return [grammar.Named(full_name, values, version=str(value.get("version", "")))]
    if isinstance(value, list):
        return [named for item in value for named in _named_in_document(item, where=where)]
    raise RequestError(f"{value!r} names no component.", where=where, hint='Write a text such as "transformer,aspp".')
