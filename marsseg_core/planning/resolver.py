"""Turn a user's request into a plan.

A plan is built in layers. Each layer overrides the one before:

1. the recipe `default`,
2. a plan file or another recipe,
3. the options of the command line or of the Python call,
4. the overrides of `--set`.

The plan records for each value the layer it came from (its origin).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..components.finished_runs import UsesRuns
from ..components.given import given_entry, holding
from ..components.interfaces import Dataset
from ..data.cleaning_options import CleaningOptions
from ..data.split_options import SplitOptions
from ..errors import PluginError, RequestError, nearest
from ..files.documents import read_toml
from ..files.run_folder import SERIES_PLAN, RunFolder
from ..registry import kinds, parameters
from ..registry.catalog import Catalog
from ..registry.distribution import DISTRIBUTION
from ..registry.entries import INVALID, Entry
from ..registry.kinds import COMPONENT_KINDS, METRIC, OBSERVER, PLAN_KINDS, RECIPE, Kind
from ..registry.loading import load, plugin_errors_named
from ..registry.plugin_files import KEY as PLUGIN_KEY, SUFFIX, LocalPlugin, load_planned_plugins, load_plugin_files
from ..registry.process_state import keep_process_state
from ..registry.session import Session
from ..registry.source_code import recipe_path
from . import grammar
from .encoder_weights import hash_of_weights, path_of_weights
from .finished_runs import record_of, recorded_entries, recorded_runs
from .invoke import call_checking_parameters, call_component, nested_components
from .metrics import canonical_monitor, planned_metrics
from .moved_keys import MOVED_TO_KIND, with_current_keys
from .options import OWN, SECTIONS, LossOptions, NoOptions, TrainingOptions, options_of
from .plan import NAME_KEYS, NETWORK_KINDS, Plan
from .python_components import Given, make_plugins, named_components
from .resolved import ResolvedComponent, weighting_spec

DEFAULT_RECIPE: Final = "default"

# The origin of a value that an older plan file does not have, because its kind or parameter did not exist yet.
_OLDER_PLAN: Final = "older plan file"


@dataclass(frozen=True)
class Request:
    """A run as the user requests it, before names and values are checked.

    Attributes:
        base: a recipe, a plan file or a run folder; None for the recipe `default`
        compositions: for each kind's option ("arch", "loss", …) that was passed, its composition text, or the objects
            passed in Python
        sections: the values passed for the sections "training", "split" and "cleaning"
        overrides: the texts of `--set`
        plugins: Python files that define components and hooks
    """

    base: str | None = None
    compositions: Mapping[str, Given] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    plugins: Sequence[str | Path] = ()


def resolve(request: Request, session: Session, *, only: Collection[Kind] = COMPONENT_KINDS) -> Plan:
    """Build the plan layer by layer, then create and check every component.

    This imports the modules of the chosen components, and Keras only if one of them imports it.

    Args:
        request: what the user wants to run
        session: the catalog to choose from, and whether plugin files named by plans are trusted
        only: the kinds that the plan contains. To read a finished run, the components of other kinds need not be
            installed.

    Raises:
        RequestError: if the request is wrong
        PluginError: if a component is broken
    """
    catalog = session.catalog
    documents = [_recipe_document(DEFAULT_RECIPE, catalog, origin="default")]
    if request.base is not None:
        documents.append(_base_document(request.base, catalog))
    plugins = load_plugin_files(request.plugins)
    if any(not isinstance(composition, str) for composition in request.compositions.values()):
        catalog_with_files = catalog.with_more(entry for plugin in plugins for entry in plugin.entries)
        plugins += make_plugins(request.compositions, catalog_with_files)
    # Only a plan with all kinds is trained, so only such a plan needs the hooks in its plugin files.
    needed_kinds = (*only, OBSERVER) if set(only) >= set(PLAN_KINDS) else only
    for document in documents:
        plugins += load_planned_plugins(
            document.values, document.folder, document.origin, plugins, needed_kinds, trust=session.trust
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
    """The content of a plan file or recipe.

    Attributes:
        values: the content of the TOML file
        folder: the folder of the file
        origin: the origin recorded for its values
        where: what error messages call the file
        distribution: the distribution that provides the recipe; None for a plan file
        complete: whether a run wrote the file. Then a missing kind or parameter did not exist yet.
    """

    values: Mapping[str, Any]
    folder: Path
    origin: str
    where: str
    distribution: str | None = None
    complete: bool = False


def _base_document(base: str, catalog: Catalog) -> _Document:
    path = Path(base)
    # os.path.isfile, because Path.is_file raises for a name that is too long. A folder without a plan may have the
    # same name as a recipe.
    if os.path.isfile(os.path.join(base, "plan.toml")):
        path = path / "plan.toml"
    if os.path.isfile(path):
        written_by_run = RunFolder(path.parent).split.is_file() or path.name == SERIES_PLAN
        return _Document(
            read_toml(path, "The plan"), path.parent, f"file {path}", f"file {path}", complete=written_by_run
        )
    if path.suffix == ".toml" and os.path.exists(path) and not os.path.isdir(path):
        read_toml(path, "The plan")  # a named pipe, a socket or a device: the error says so
    if path.suffix == ".toml" or path.is_absolute() or path.name == "plan.toml":
        raise RequestError(
            f"There is no plan file '{base}'.", where="--plan", hint="`marsseg list recipe` lists recipes."
        )
    return _recipe_document(base, catalog, origin=f"recipe {base}")


def _recipe_document(name: str, catalog: Catalog, origin: str) -> _Document:
    # Every plan starts from marsseg's own recipe `default`, even if another distribution has one with this name.
    entry = catalog.find(RECIPE, name, where="--plan", prefer=DISTRIBUTION if origin == DEFAULT_RECIPE else None)
    path = recipe_path(entry)
    if path is None:
        raise PluginError(f"The file of the {entry.label} is missing.", where=entry.target)
    return _Document(read_toml(path, "The plan"), path.parent, origin, f"recipe {name}", entry.distribution)


@dataclass(eq=False)
class _Values:
    """Values in a builder, each with the layer it came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def set(self, values: Mapping[str, Any], origin: str) -> None:
        self.values.update(values)
        self.origins.update(dict.fromkeys(values, origin))


@dataclass(eq=False)
class _Item(_Values):
    """A component in a builder.

    Attributes:
        entry: the catalog entry of the component
        origin: the layer that named it
        version: the version of its distribution in the plan file that names it; empty if no plan file does
        python_object: the data or network passed in Python that the component represents; None for any other
        problem: why the component cannot be used. It is raised at the end only, as a later layer may replace the
            component.
    """

    entry: Entry = field(kw_only=True)
    origin: str = field(kw_only=True)
    version: str = field(default="", kw_only=True)
    python_object: Any = field(default=None, kw_only=True)
    problem: RequestError | None = field(default=None, kw_only=True)


class PlanBuilder:
    """Collect the layers of a plan: components by kind, values by section. `finish` checks them."""

    def __init__(self, session: Session, plugins: tuple[LocalPlugin, ...], only: Collection[Kind]) -> None:
        self.session = session
        self.catalog = session.catalog
        self.plugins = plugins
        self.only = only
        self.items: dict[Kind, list[_Item]] = {}
        self.kind_origins: dict[Kind, str] = {}
        self.sections: dict[str, _Values] = {name: _Values() for name in SECTIONS}

    def add_document(self, document: _Document) -> None:
        """Add the layer of a plan file or recipe."""
        values, origin, where = document.values, document.origin, document.where
        known = [kind.option for kind in PLAN_KINDS] + list(SECTIONS) + [PLUGIN_KEY, "summary"]
        for key in values:
            if key not in known:
                raise RequestError(f"A plan has no key '{key}'.", where=where, hint=nearest(key, known))
        values = with_current_keys(values)
        for kind in PLAN_KINDS:
            if kind.option in values:
                named = _named_in_document(values[kind.option], where=f"{where}, {kind.option}")
                self._overlay(kind, named, origin, f"{where}, {kind.option}", document)
            elif document.complete and kind.absent:
                self._overlay(kind, grammar.parse(kind.absent), _OLDER_PLAN, f"{where}, {kind.option}")
        for section in SECTIONS:
            if section in values:
                if not isinstance(values[section], Mapping):
                    raise RequestError(f"'{section}' must be a table.", where=where, hint=f"Write it as [{section}].")
                self.add_section(section, values[section], origin=origin, where=f"{where}, {section}")
            if document.complete:
                absent_values = _values_of_absent(SECTIONS[section], values.get(section, {}))
                self.sections[section].set(absent_values, _OLDER_PLAN)

    def add_defaults(self) -> None:
        """Add the default components of the kinds that no document mentions."""
        for kind in PLAN_KINDS:
            if kind.absent and kind not in self.items:
                self._overlay(kind, grammar.parse(kind.absent), "default", f"--{kind.option}")

    def add_compositions(self, kind: Kind, composition: Given) -> None:
        """Add the components that one option of the command line or of a Python call names."""
        if isinstance(composition, str):
            self._overlay(kind, self._parse(kind, composition), "command line", f"--{kind.option} {composition}")
        else:
            named = named_components(kind, composition, self.catalog, partial(self._parse, kind))
            self._overlay(kind, named, "Python", kind.option)

    def _parse(self, kind: Kind, text: str) -> list[grammar.NamedComponent]:
        where = f"--{kind.option} {text}"
        return [self._parse_dataset(text, where)] if kind == kinds.DATASET else grammar.parse(text, where=where)

    def add_section(self, section: str, values: Mapping[str, Any], *, origin: str, where: str) -> None:
        """Add values of the section "training", "split" or "cleaning"."""
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
        """Add the values of `--set`, such as "arch.dense.width=0.5"."""
        seen: set[tuple[int, str]] = set()
        for text in texts:
            where = f"--set {text}"
            path, equals, value = text.partition("=")
            option, _, rest = path.strip().partition(".")
            if not equals or not rest:
                hint = "The form is kind.name.key=value, as in arch.dense.width=0.5, or training.epochs=20."
                raise RequestError(f"'{text}' is not a valid override.", where="--set", hint=hint)
            target: _Values
            if option in SECTIONS:
                target, key = self.sections[option], rest
                self._check_section_key(option, key, where)
            else:
                target, key = self._override_target(option, rest, where)
            if (id(target), key) in seen:
                raise RequestError(f"'{path}' is set twice.", where=where, hint="Keep one of the two.")
            seen.add((id(target), key))
            target.set({key: value.strip()}, "--set")

    def finish(self) -> Plan:
        """Create and check all components, and return the plan."""
        chosen = {}
        for kind in filter(self.only.__contains__, PLAN_KINDS):
            items = self.items.get(kind, [])
            if not items and not kind.may_be_none:
                hint = f"Installed {kind} names: {', '.join(self.catalog.names(kind))}."
                raise RequestError(f"A run needs {kind.with_article}.", where=f"--{kind.option}", hint=hint)
            if len(items) > 1 and not kind.many:
                names = ", ".join(item.entry.name for item in items)
                raise RequestError(f"A run has one {kind}; these are {len(items)}: {names}.", where=f"--{kind.option}")
            chosen[kind] = tuple(self._resolve_item(kind, item) for item in items)
        self._check_parts(chosen)
        self._pin_initial_weights()
        self._pin_unlabelled()
        self._forget_chosen_precision()
        self._set_canonical_monitor()
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

    def _check_parts(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        """Check that the architecture takes the plan's encoder and bottlenecks."""
        for architecture in chosen.get(kinds.ARCHITECTURE, ()):
            if chosen.get(kinds.ENCODER) and not architecture.component.takes_encoder:
                raise RequestError(
                    f"The architecture '{architecture.entry.name}' does not take an encoder.",
                    where="--encoder",
                    hint="Leave it out, or use --encoder none if the plan has one. These architectures take one: "
                    f"{', '.join(_architectures_with_encoder(self.catalog))}.",
                )
            if kinds.ENCODER in chosen and not chosen[kinds.ENCODER] and architecture.component.needs_encoder:
                raise RequestError(
                    f"The architecture '{architecture.entry.name}' needs an encoder.",
                    where="--encoder",
                    hint=f"Choose one of: {', '.join(self.catalog.names(kinds.ENCODER))}.",
                )
            if chosen.get(kinds.BOTTLENECK) and not architecture.component.takes_bottleneck:
                raise RequestError(
                    f"The architecture '{architecture.entry.name}' does not take a bottleneck.",
                    where="--bottleneck",
                    hint="Leave it out, or use --bottleneck none if the plan has one.",
                )

    def _check_losses(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        """Check that at least one loss has a weight above 0."""
        losses = chosen.get(kinds.LOSS, ())
        if losses and not any(isinstance(each.options, LossOptions) and each.options.weight for each in losses):
            raise RequestError(
                "Every loss has the weight 0: there is nothing to learn.",
                where=f"--loss, {', '.join(each.entry.name for each in losses)}",
                hint="Use the weight 0 only for a loss that is logged beside other losses.",
            )

    def _check_weighting(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]]) -> None:
        if not {kinds.WEIGHTING, kinds.LOSS} <= set(chosen):
            return
        weighting = chosen[kinds.WEIGHTING][0]
        call_checking_parameters(weighting, weighting.component.check, weighting_spec(chosen[kinds.LOSS]))
        if not call_component(weighting, lambda: weighting.component.needs_nonnegative):
            return
        for loss in chosen[kinds.LOSS]:
            if call_component(loss, lambda loss=loss: loss.component.may_be_negative):
                raise RequestError(
                    f"The weighting '{weighting.entry.name}' cannot work with the loss '{loss.entry.name}': "
                    "it needs losses that are never negative.",
                    where=f"loss {loss.entry.name}, {loss.component!r}",
                    hint=f"`marsseg show {loss.entry.name}` lists its parameters; the weightings fixed and scheduled "
                    "take any loss.",
                )

    def _check_schedule(self, chosen: Mapping[Kind, tuple[ResolvedComponent, ...]], epochs: int) -> None:
        for schedule in chosen.get(kinds.SCHEDULE, ()):
            call_checking_parameters(schedule, schedule.component.check, epochs)

    def _pin_initial_weights(self) -> None:
        """Make `init` an absolute path, and add the hash of its network unless the same layer sets it."""
        section = self.sections["training"]
        if "init" not in section.values:
            return
        init, origin = section.values["init"], section.origins["init"]
        if section.origins.get("init_hash", origin) not in (origin, "--set"):
            section.set({"init_hash": None}, origin)  # the hash belongs to the run that an earlier layer named
        if not isinstance(init, str) or init == parameters.NONE_WORD:
            return
        path = Path(init).absolute()
        init_hash = section.values.get("init_hash") or parameters.NONE_WORD
        if init_hash == parameters.NONE_WORD:
            section.set({"init_hash": RunFolder.open(path).network_hash()}, origin)
        section.set({"init": str(path)}, origin)

    def _pin_unlabelled(self) -> None:
        """Make the path of `unlabelled` absolute, since the plan may be read from another working directory."""
        section = self.sections["training"]
        text = section.values.get("unlabelled", OWN)
        if kinds.METHOD not in self.only or not isinstance(text, str) or text == OWN:
            return
        named = self._parse_dataset(text, f"--unlabelled {text}")
        values = {key: str(value) for key, value in named.parameters.items()}
        if "path" in values:
            values["path"] = os.path.abspath(os.path.expanduser(values["path"]))
        if split := next((value for value in values.values() if set(value) & {":", ","}), None):
            raise RequestError(
                f"'{split}' has a colon or a comma, which separate components and parameters.",
                where=f"--unlabelled {text}",
                hint="Name a link to it without them.",
            )
        pinned = ":".join([named.name, *(f"{key}={value}" for key, value in values.items())])
        section.set({"unlabelled": pinned}, section.origins["unlabelled"])

    def _forget_chosen_precision(self) -> None:
        """Remove the record that a run chose its `precision`, if a later layer sets another one."""
        section = self.sections["training"]
        origin = section.origins.get("precision", "")
        if section.origins.get("precision_from", origin) not in (origin, "--set"):
            section.set({"precision_from": None}, origin)

    def _set_canonical_monitor(self) -> None:
        """Replace `monitor` by its canonical form, so that plans with the same meaning compare as equal."""
        section = self.sections["training"]
        if isinstance(text := section.values.get("monitor"), str):
            section.set({"monitor": canonical_monitor(text, self.catalog)}, section.origins["monitor"])

    def _overlay(
        self,
        kind: Kind,
        components: Iterable[grammar.NamedComponent],
        origin: str,
        where: str,
        document: _Document | None = None,
    ) -> None:
        """Replace the items of a kind. An item with the same entry keeps the values that this layer does not set."""
        earlier_items = list(self.items.get(kind, []))
        items = []
        for named in components:
            entry, problem = self._find_entry(kind, named, where, document)
            item = next((earlier for earlier in earlier_items if earlier.entry == entry), None)
            if item is not None:
                earlier_items.remove(item)
            else:
                item = _Item(entry=entry, origin=origin, problem=problem)
            item.origin = origin
            item.version = named.version or item.version
            item.python_object = named.python_object
            item.set(named.parameters, origin)
            items.append(item)
        self.items[kind] = items
        self.kind_origins[kind] = origin

    def _find_entry(
        self, kind: Kind, named: grammar.NamedComponent, where: str, document: _Document | None
    ) -> tuple[Entry, RequestError | None]:
        """Find the entry of a name, and None.

        If a plan file names a component that is missing, return a placeholder entry and the error to raise later.
        """
        if (entry_of_python_object := given_entry(kind, named.name)) is not None:
            return entry_of_python_object, None
        prefer = document.distribution if document else None
        try:
            return self.catalog.find(kind, named.name, where=where, prefer=prefer), None
        except RequestError as problem:
            if document is None:
                raise
            distribution, _, short = named.name.rpartition("/")
            missing = Entry(kind, short, "", distribution, named.version, status=INVALID, reason=problem.what)
            if not distribution or self.catalog.named(named.name, [kind]):
                return missing, problem
            return missing, self._missing_error(missing, where)

    def _missing_error(self, entry: Entry, where: str) -> RequestError:
        """Make the error for a component that a plan file names and that is not installed."""
        if entry.distribution.endswith(SUFFIX):
            hint = f"Pass the file again: --plugin {entry.distribution}"
        else:
            version = f"=={entry.version}" if entry.version else ""
            hint = f"Install it: pip install {entry.distribution}{version}"
        other = next((e for e in self.catalog.entries if e.distribution == entry.distribution), None)
        without_it = f"; {other.provider} does not have it" if other else ""
        return RequestError(
            f"The plan needs the {entry.label}, which is not installed{without_it}.", where=where, hint=hint
        )

    def _parse_dataset(self, text: str, where: str) -> grammar.NamedComponent:
        """Parse the value of `--data`: a composition text, or a path that one data set component recognises."""
        if self.catalog.named(text.partition(":")[0], [kinds.DATASET]):
            named = grammar.parse(text, where=where)
            if len(named) > 1:
                raise RequestError("A run has one data set.", where=where)
            return named[0]
        path = Path(text)
        if not os.path.exists(path):  # Path.exists raises for a name that is too long
            if "/" in text or path.suffix:
                raise RequestError(f"There is no file or folder '{text}'.", where=where)
            self.catalog.find(kinds.DATASET, text.partition(":")[0], where=where)
        owners = datasets_that_recognise(path, self.catalog)
        names = ", ".join(self.catalog.names(kinds.DATASET))
        if not owners:
            hint = "\n".join([*_explanations(path, self.catalog), f"Installed: {names}."])
            raise RequestError(f"No data set recognises '{text}'.", where=where, hint=hint)
        if len(owners) > 1:
            rivals = ", ".join(entry.qualified_name for entry in owners)
            hint = f"Name one, as in --data {owners[0].qualified_name}:path={text}."
            raise RequestError(f"Several data sets recognise '{text}': {rivals}.", where=where, hint=hint)
        return grammar.NamedComponent(owners[0].qualified_name, {"path": str(path.resolve())})

    def _override_target(self, option: str, rest: str, where: str) -> tuple[_Item, str]:
        """Find the item and the key of the override `option.name.key`. `name` may be a position, counted from 1."""
        kind = next((kind for kind in PLAN_KINDS if option in (kind.option, kind.name)), None)
        if kind is None:
            known = [kind.option for kind in PLAN_KINDS] + list(SECTIONS)
            raise RequestError(f"'{option}' cannot be set.", where=where, hint=nearest(option, known))
        name, dot, key = rest.rpartition(".")
        items = self.items.get(kind, [])
        names = ", ".join(item.entry.name for item in items) or "none"
        if not dot:
            hint = f"The form is {option}.name.key=value; the plan's {kind}: {names}."
            raise RequestError(f"'{option}.{rest}' has no component name.", where=where, hint=hint)
        if name.isdecimal():
            if not 1 <= int(name) <= len(items):
                hint = f"Positions count from 1; the plan's {kind}: {names}."
                raise RequestError(f"There is no {kind} at position {name}.", where=where, hint=hint)
            return items[int(name) - 1], key
        entries = self.catalog.named(name, [kind])
        matching = [item for item in items if item.entry in entries]
        if not matching:
            if not entries:
                self.catalog.find(kind, name, where=where)
            raise RequestError(f"The plan has no {kind} '{name}'.", where=where, hint=f"It has: {names}.")
        if len(matching) > 1:
            hint = f"Use its position, as in {option}.{items.index(matching[-1]) + 1}.{key}=…"
            raise RequestError(f"'{name}' occurs {len(matching)} times in the plan.", where=where, hint=hint)
        return matching[0], key

    def _resolve_item(self, kind: Kind, item: _Item) -> ResolvedComponent:
        if item.problem is not None:
            raise item.problem
        try:
            return self._configure_item(kind, item)
        except RequestError as error:
            if item.version in ("", item.entry.version):
                raise
            name = item.entry.distribution
            versions = f"The plan was made with {name} {item.version}; this is {item.entry.provider}."
            install = f"To install that version: pip install {name}=={item.version}"
            hint = " ".join(filter(None, (error.hint, versions, install)))
            raise RequestError(error.what, where=error.where, hint=hint) from error

    def _configure_item(self, kind: Kind, item: _Item) -> ResolvedComponent:
        cls = load(item.entry)
        options_class = options_of(kind)
        own, core = parameters.parameters_of(cls), parameters.parameters_of(options_class)
        if reserved := sorted(set(own) & {*core, *NAME_KEYS}):
            raise PluginError(
                f"The {item.entry.label} has a parameter called '{reserved[0]}', a name reserved by marsseg.",
                where=item.entry.target,
            )
        if item.version:  # a run wrote this plan with every parameter that existed then
            item.set(_values_of_absent(cls, item.values), _OLDER_PLAN)
        for key, origin in item.origins.items():
            if key not in own and key not in core:
                raise RequestError(
                    f"The {kind} '{item.entry.name}' has no parameter '{key}'.",
                    where=f"{kind.option}, {origin}",
                    hint=nearest(key, [*own, *core], listing="Its parameters"),
                )
        if kind == kinds.DATASET and isinstance(item.values.get("path"), str):
            # The plan in the run folder may be read from another working directory.
            item.values["path"] = os.path.abspath(os.path.expanduser(item.values["path"]))
        if issubclass(cls, UsesRuns):
            records = recorded_runs(cls, item.values, item.origins, self._network_components)
            item.set(records, item.origins.get(cls.run_parameter, item.origin))
        where = f"{kind.option} {item.entry.name}"
        if kind == kinds.ENCODER:
            _pin_encoder_weights(item, cls.published_weights, where)
        with plugin_errors_named(item.entry, "failed"):
            component = parameters.configure(
                cls, {key: value for key, value in item.values.items() if key in own}, where=where
            )
            nested = tuple(
                each
                for nested_kind, text in component.compositions()
                for each in nested_components(nested_kind, text, self.catalog, item.entry)
            )
        nested += self._components_of_runs(component, nested)
        if item.python_object is not None:
            component = holding(component, item.python_object)
        options = parameters.configure(
            options_class, {key: value for key, value in item.values.items() if key in core}, where=where
        )
        return ResolvedComponent(
            item.entry, component, options, item.origins | {"name": item.origin}, item.version, nested
        )

    def _network_components(self, run: Path) -> tuple[str, ...]:
        """Return the components of a run's network, also of the networks inside of it, as recorded in a plan."""
        plan = resolve(Request(base=str(run)), self.session, only=NETWORK_KINDS)
        entries = [
            owner.entry
            for kind in NETWORK_KINDS
            for resolved in plan.resolved[kind]
            for owner in (resolved, *resolved.nested)
        ]
        return tuple(record_of(entry) for entry in entries if given_entry(entry.kind, entry.name) is None)

    def _components_of_runs(self, component: Any, nested: Sequence[ResolvedComponent]) -> tuple[ResolvedComponent, ...]:
        """Return the components of the networks of the runs that a component uses, which are needed to load it."""
        for each in nested:
            if isinstance(each.component, UsesRuns):
                raise RequestError(
                    f"The {each.entry.label} cannot be part of another component.",
                    hint=f"Choose it with --{each.entry.kind.option}.",
                )
        if not isinstance(component, UsesRuns):
            return ()
        # Only their classes: what they were configured with is in the files of their networks.
        return tuple(
            ResolvedComponent(entry, load(entry), NoOptions()) for entry in recorded_entries(component, self.catalog)
        )


def _pin_encoder_weights(item: _Item, published: Sequence[str], where: str) -> None:
    """Make the path of an encoder's weights absolute, and add their hash unless the same layer sets it.

    Published weights may have to be downloaded first: the hash of theirs is recorded when the run begins.
    """
    weights, origin = item.values.get("weights"), item.origins.get("weights", "")
    if item.origins.get("weights_hash", origin) not in (origin, "--set"):
        item.set({"weights_hash": None}, origin)  # the hash belongs to the weights that an earlier layer named
    if not isinstance(weights, str) or weights == parameters.NONE_WORD:
        return
    path = path_of_weights(weights, published)
    if path is None:
        return
    if item.values.get("weights_hash") in (None, parameters.NONE_WORD):
        item.set({"weights_hash": hash_of_weights(path, published, where)}, origin)
    item.set({"weights": str(path)}, origin)


def _values_of_absent(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are not in `values` of an older plan, with the value that they had implicitly then."""
    known = parameters.parameters_of(cls).items()
    return {key: each.absent for key, each in known if each.absent is not MISSING and key not in values}


def datasets_that_recognise(path: Path, catalog: Catalog) -> list[Entry]:
    """Return the data set components that recognise a file or folder as theirs; generic ones only if no other does."""
    entries = [entry for entry in catalog.of_kind(kinds.DATASET) if entry.usable and _recognises(entry, path)]
    return [entry for entry in entries if not load(entry).generic] or entries


def _architectures_with_encoder(catalog: Catalog) -> list[str]:
    names = []
    for entry in catalog.of_kind(kinds.ARCHITECTURE):
        with suppress(PluginError):
            if entry.usable and load(entry).takes_encoder:
                names.append(entry.name)
    return names


def _recognises(entry: Entry, path: Path) -> bool:
    try:
        cls: type[Dataset] = load(entry)
        with keep_process_state():
            return bool(cls.recognises(path))
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:
        return False  # a broken plugin recognises nothing; it is reported when it is requested by name


def _explanations(path: Path, catalog: Catalog) -> list[str]:
    """Return for each data set what it looks for and what is there, a line each; a broken plugin says nothing."""
    lines = []
    for entry in catalog.of_kind(kinds.DATASET):
        try:
            with keep_process_state():
                text = load(entry).explain(path) if entry.usable else ""
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException:
            continue
        if text:
            lines.append(f"{entry.name}: {text}")
    return lines


def _named_in_document(value: Any, *, where: str) -> list[grammar.NamedComponent]:
    """Parse the components of one kind in a plan file: a composition text, a table, or a list of them."""
    if isinstance(value, str):
        return grammar.parse(value, where=where)
    if isinstance(value, Mapping):
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise RequestError("The table of a component has no name.", where=where, hint='Add name = "…".')
        distribution = value.get("distribution")
        full_name = f"{distribution}/{name}" if distribution else name
        values = {key: item for key, item in value.items() if key not in NAME_KEYS}
        return [grammar.NamedComponent(full_name, values, version=str(value.get("version", "")))]
    if isinstance(value, list):
        return [named for item in value for named in _named_in_document(item, where=where)]
    raise RequestError(f"{value!r} is not a component.", where=where, hint='Write a text such as "transformer,aspp".')
