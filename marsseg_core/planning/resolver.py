"""Turn a user's request into a plan.

A plan is built in layers. Each layer overrides the one before:

1. the recipe `default`,
2. a plan file or another recipe,
3. the options of the command line (or their defaults in a configuration file), or those of the Python call,
4. the overrides of `--set`.

The plan records for each value the layer it came from (its origin).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..components.given import given_entry
from ..data.cleaning_options import CleaningOptions
from ..data.split_options import SplitOptions
from ..errors import RequestError, nearest
from ..files.run_folder import RunFolder
from ..registry import kinds, parameters
from ..registry.entries import INVALID, Entry
from ..registry.kinds import COMPONENT_KINDS, METRIC, OBSERVER, PLAN_KINDS, Kind
from ..registry.plugin_files import (
    COMMAND_LINE,
    KEY as PLUGIN_KEY,
    PYTHON,
    SUFFIX,
    LocalPlugin,
    load_planned_plugins,
    load_plugin_files,
)
from ..registry.session import Session
from . import grammar
from .configuring import Configurer
from .documents import DEFAULT_RECIPE, PlanDocument, base_document, named_in_document, recipe_document
from .finished_runs import JOINT, record_of
from .fitting import check_length, check_losses, check_parts, check_views, check_weighting
from .hints import list_of_name
from .layers import OLDER_PLAN, OVERRIDES, Item, Values
from .metrics import planned_metrics
from .moved_keys import MOVED_TO_KIND, with_current_keys
from .named_settings import option_of_setting
from .options import SECTIONS, TrainingOptions
from .pins import (
    forget_chosen_precision,
    overlay_unlabelled,
    pin_initial_weights,
    pin_subsets,
    pin_unlabelled,
    set_canonical_monitor,
)
from .plan import NETWORK_KINDS, Plan
from .python_components import Given, make_plugins, metrics_text, named_components
from .recognition import named_dataset
from .request import Request

C = TypeVar("C")
T = TypeVar("T", CleaningOptions, SplitOptions, TrainingOptions)


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
    documents = [recipe_document(DEFAULT_RECIPE, catalog, origin="default")]
    if request.base is not None:
        documents.append(base_document(request.base, catalog))
    plugins = load_plugin_files(request.plugins, request.caller)
    if any(not isinstance(composition, str) for composition in request.passed.values()):
        catalog_with_files = catalog.with_more(entry for plugin in plugins for entry in plugin.entries)
        plugins += make_plugins(request.passed, catalog_with_files)
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
            origin = request.origins.get(kind.option, request.caller)
            builder.add_compositions(kind, request.compositions[kind.option], origin)
    for section, values in request.sections.items():
        for key, value in values.items():
            origin = request.origins.get(f"{section}.{key}", request.caller)
            builder.add_section(section, {key: value}, origin=origin, where=f"--{section}")
    if request.metrics:
        metrics = metrics_text(request.metrics, builder.catalog)
        builder.add_section("training", {"metrics": metrics}, origin=request.caller, where="metrics")
    own_origin = OVERRIDES[request.caller != COMMAND_LINE]
    builder.add_overrides(request.overrides, request.origins.get("set", own_origin))
    return builder.finish()


class PlanBuilder:
    """Collect the layers of a plan: components by kind, values by section. `finish` checks them."""

    def __init__(self, session: Session, plugins: tuple[LocalPlugin, ...], only: Collection[Kind]) -> None:
        self.session = session
        self.catalog = session.catalog
        self.plugins = plugins
        self.only = only
        self.items: dict[Kind, list[Item]] = {}
        self.kind_origins: dict[Kind, str] = {}
        self.sections: dict[str, Values] = {name: Values() for name in SECTIONS}
        self.texts: dict[Kind, str] = {}

    def add_document(self, document: PlanDocument) -> None:
        """Add the layer of a plan file or recipe."""
        values, origin, where = document.values, document.origin, document.where
        known = [kind.option for kind in PLAN_KINDS] + list(SECTIONS) + [PLUGIN_KEY, "summary"]
        for key in values:
            if key not in known:
                raise RequestError(f"A plan has no key '{key}'.", where=where, hint=nearest(key, known))
        values = with_current_keys(values)
        for kind in PLAN_KINDS:
            if kind.option in values:
                named = named_in_document(values[kind.option], where=f"{where}, {kind.option}")
                self._overlay(kind, named, origin, f"{where}, {kind.option}", document)
            elif document.complete and kind.absent:
                self._overlay(kind, grammar.parse(kind.absent), OLDER_PLAN, f"{where}, {kind.option}")
        for section in SECTIONS:
            if section in values:
                if not isinstance(values[section], Mapping):
                    raise RequestError(f"'{section}' must be a table.", where=where, hint=f"Write it as [{section}].")
                self.add_section(section, values[section], origin=origin, where=f"{where}, {section}")
            if document.complete:
                self.sections[section].set_absent(SECTIONS[section], values.get(section, {}))

    def add_defaults(self) -> None:
        """Add the default components of the kinds that no document mentions."""
        for kind in PLAN_KINDS:
            if kind.absent and kind not in self.items:
                self._overlay(kind, grammar.parse(kind.absent), "default", f"--{kind.option}")

    def add_compositions(self, kind: Kind, composition: Given, origin: str) -> None:
        """Add the components that one option of the command line, or of a Python call, names."""
        if isinstance(composition, str):
            self.texts[kind] = composition
            self._overlay(kind, self._parse(kind, composition), origin, f"--{kind.option} {composition}")
        else:
            named = named_components(kind, composition, self.catalog, partial(self._parse, kind))
            self._overlay(kind, named, PYTHON, kind.option)

    def _parse(self, kind: Kind, text: str) -> list[grammar.NamedComponent]:
        where = f"--{kind.option} {text}"
        return [named_dataset(text, where, self.catalog)] if kind == kinds.DATASET else grammar.parse(text, where=where)

    def add_section(self, section: str, values: Mapping[str, Any], *, origin: str, where: str) -> None:
        """Add values of the section "training", "split" or "cleaning"."""
        for key in values:
            self._check_section_key(section, key, where)
        if section == "training" and "unlabelled" in values and kinds.METHOD in self.only:
            text = overlay_unlabelled(self.sections[section], values["unlabelled"], self.catalog)
            values = {**values, "unlabelled": text}
        self.sections[section].set(values, origin)

    def _check_section_key(self, section: str, key: str, where: str) -> None:
        known = parameters.parameters_of(SECTIONS[section])
        if kind := MOVED_TO_KIND.get((section, key)):
            hint = f"It is a component: --{kind.option} NAME, or --set {kind.option}.NAME.KEY=VALUE."
            raise RequestError(f"There is no '{key}' in {section}.", where=where, hint=hint)
        if key not in known:
            raise RequestError(f"There is no '{key}' in {section}.", where=where, hint=nearest(key, known))

    def add_overrides(self, texts: Sequence[str], origin: str) -> None:
        """Add the values of `--set`, such as "arch.dense.width=0.5"."""
        seen: set[tuple[int, str]] = set()
        for text in texts:
            where = f"--set {text}"
            path, equals, value = text.partition("=")
            option, _, rest = path.strip().partition(".")
            if not equals or not rest:
                hint = "The form is kind.name.key=value, as in arch.dense.width=0.5, or training.epochs=20."
                raise RequestError(f"'{text}' is not a valid override.", where="--set", hint=hint)
            target: Values
            if option in SECTIONS:
                target, key = self.sections[option], rest
                self._check_section_key(option, key, where)
            else:
                target, key = self._override_target(option, rest, where)
            if (id(target), key) in seen:
                raise RequestError(f"'{path}' is set twice.", where=where, hint="Keep one of the two.")
            seen.add((id(target), key))
            target.set({key: value.strip()}, origin)

    def finish(self) -> Plan:
        """Create and check all components, and return the plan."""
        chosen = {}
        configurer = Configurer(self.catalog, self.texts, self._components_of)
        for kind in filter(self.only.__contains__, PLAN_KINDS):
            items = self.items.get(kind, [])
            if not items and not kind.may_be_none:
                hint = f"Installed {kind} names: {', '.join(self.catalog.names(kind))}."
                raise RequestError(f"A run needs {kind.with_article}.", where=f"--{kind.option}", hint=hint)
            if len(items) > 1 and not kind.many:
                names = ", ".join(item.entry.name for item in items)
                raise RequestError(f"A run has one {kind}; these are {len(items)}: {names}.", where=f"--{kind.option}")
            chosen[kind] = tuple(configurer.create(kind, item) for item in items)
        check_parts(chosen, self.catalog)
        check_views(chosen, self.catalog)
        section = self.sections["training"]
        pin_initial_weights(section)
        if kinds.METHOD in self.only:
            pin_unlabelled(section, self.catalog)
        if kinds.DATASET in self.only:
            pin_subsets(self.sections["split"])
        forget_chosen_precision(section)
        set_canonical_monitor(section, self.catalog)
        origins: dict[str, Mapping[str, str]] = {name: item.origins for name, item in self.sections.items()}
        origins |= {kind.option: {"name": origin} for kind, origin in self.kind_origins.items()}
        check_losses(chosen)
        training = self._options("training", TrainingOptions)
        check_weighting(chosen)
        check_length(chosen, training.epochs)
        cleaning = self._options("cleaning", CleaningOptions)
        split = self._options("split", SplitOptions)
        if METRIC in self.only:
            planned_metrics(training, self.catalog)
        return Plan(chosen, cleaning, split, training, origins, self.plugins, self.session)

    def _options(self, section: str, cls: type[T]) -> T:
        """Return the options of a section. An error says where the wrong value comes from."""
        values = self.sections[section]
        try:
            return parameters.configure(cls, values.values, where=section)
        except RequestError as error:
            key = error.what.partition("=")[0]
            if origin := values.origins.get(key):
                option = f"{option_of_setting(f'{section}.{key}')} {parameters.to_text(values.values[key])}"
                error.where = option if origin == COMMAND_LINE else f"{section}, {origin}"
            raise

    def _overlay(
        self,
        kind: Kind,
        components: Iterable[grammar.NamedComponent],
        origin: str,
        where: str,
        document: PlanDocument | None = None,
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
                item = Item(entry=entry, origin=origin, problem=problem)
            item.origin = origin
            item.version = named.version or item.version
            item.python_object = named.python_object
            item.set(named.parameters, origin)
            items.append(item)
        self.items[kind] = items
        self.kind_origins[kind] = origin

    def _find_entry(
        self, kind: Kind, named: grammar.NamedComponent, where: str, document: PlanDocument | None
    ) -> tuple[Entry, RequestError | None]:
        """Find the entry of a name; the error is None where there is one.

        If a plan file names a component that is missing, return a placeholder entry and the error to raise later.
        """
        if (entry_of_python_object := given_entry(kind, named.name)) is not None:
            return entry_of_python_object, None
        prefer = document.distribution if document else None
        try:
            return self.catalog.find(kind, named.name, where=where, prefer=prefer), None
        except RequestError as problem:
            if document is None:
                if lists := list_of_name(kind, self.texts.get(kind, ""), named.name, self.catalog):
                    problem.hint = f"A comma begins another component: set a list with --set {kind.option}.{lists}"
                elif RunFolder(Path(named.name)).begun:
                    problem.hint = f"A comma begins another component: join several runs with {JOINT}."
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

    def _override_target(self, option: str, rest: str, where: str) -> tuple[Item, str]:
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

    def _components_of(self, run: Path) -> tuple[str, ...]:
        """Return the components of a run's network, also of the networks inside it, as recorded in a plan."""
        plan = resolve(Request(base=str(run)), self.session, only=NETWORK_KINDS)
        entries = [
            owner.entry for kind in NETWORK_KINDS for resolved in plan.resolved[kind] for owner in resolved.with_inner
        ]
        return tuple(record_of(entry) for entry in entries if given_entry(entry.kind, entry.name) is None)
