"""Create the components of a plan from their items: check their parameters, and say where a wrong one comes from."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..components.finished_runs import UsesRuns
from ..components.given import holding
from ..errors import PluginError, RequestError, nearest
from ..registry import kinds, parameters
from ..registry.catalog import Catalog
from ..registry.kinds import Kind
from ..registry.loading import load, plugin_errors_named
from ..registry.plugin_files import COMMAND_LINE
from .finished_runs import recorded_entries, recorded_runs
from .hints import setting_inside
from .invoke import nested_components
from .layers import Item
from .options import NoOptions, options_of
from .pins import pin_encoder_weights
from .plan import NAME_KEYS
from .resolved import ResolvedComponent

C = TypeVar("C")


class Configurer:
    """Create components of one plan.

    Args:
        catalog: the components to choose from
        texts: the composition text of each kind that was typed
        components_of: returns the recorded names of the components of a run's network
    """

    def __init__(
        self, catalog: Catalog, texts: Mapping[Kind, str], components_of: Callable[[Path], tuple[str, ...]]
    ) -> None:
        self._catalog = catalog
        self._texts = texts
        self._components_of = components_of

    def create(self, kind: Kind, item: Item) -> ResolvedComponent:
        """Create the component of an item. An error says if the item's plan was made with another version."""
        if item.problem is not None:
            raise item.problem
        try:
            return self._create(kind, item)
        except RequestError as error:
            if item.version in ("", item.entry.version):
                raise
            name = item.entry.distribution
            versions = f"The plan was made with {name} {item.version}; this is {item.entry.provider}."
            install = f"To install that version: pip install {name}=={item.version}"
            hint = " ".join(filter(None, (error.hint, versions, install)))
            raise RequestError(error.what, where=error.where, hint=hint) from error

    def _place(self, kind: Kind, what: str, origin: str | None) -> str:
        """Return where a value of `what` is wrong: the option if it was typed, else the layer that it came from."""
        if origin == COMMAND_LINE and kind in self._texts:
            return f"--{kind.option} {self._texts[kind]}"
        return what if origin is None else f"{what}, {origin}"

    def _place_of_text(self, kind: Kind, item: Item, text: str) -> str:
        """Return where the composition text comes from that is the value of a parameter of a component."""
        key = next((key for key, value in item.values.items() if value == text), None)
        if key is None:
            return f"{kind.option} {item.entry.name}"
        return self._place(kind, f"{kind.option}.{item.entry.name}.{key}", item.origins[key])

    def _configured(self, kind: Kind, item: Item, cls: type[C], known: Collection[str]) -> C:
        """Create a component, or the options that marsseg adds to it. An error says where the wrong value is from."""
        where = f"{kind.option} {item.entry.name}"
        values = {key: value for key, value in item.values.items() if key in known}
        try:
            return parameters.configure(cls, values, where=where, path=f"{kind.option}.{item.entry.name}")
        except RequestError as error:
            key = error.what.partition("=")[0]
            typed = item.origin if item.origin == COMMAND_LINE else None
            error.where = self._place(kind, where, item.origins.get(key, typed))
            raise

    def _create(self, kind: Kind, item: Item) -> ResolvedComponent:
        cls = load(item.entry)
        options_class = options_of(kind)
        own, core = parameters.parameters_of(cls), parameters.parameters_of(options_class)
        if reserved := sorted(set(own) & {*core, *NAME_KEYS}):
            raise PluginError(
                f"The {item.entry.label} has a parameter called '{reserved[0]}', a name reserved by marsseg.",
                where=item.entry.target,
            )
        if item.version:  # a run wrote this plan with every parameter that existed then
            item.set_absent(cls, item.values)
        for key, origin in item.origins.items():
            if key not in own and key not in core:
                raise RequestError(
                    f"The {kind} '{item.entry.name}' has no parameter '{key}'.",
                    where=self._place(kind, kind.option, origin),
                    hint=setting_inside(kind, item, key, self._catalog)
                    or nearest(key, [*own, *core], listing="Its parameters"),
                )
        if kind == kinds.DATASET and isinstance(item.values.get("path"), str):
            # The plan in the run folder may be read from another working directory.
            item.values["path"] = os.path.abspath(os.path.expanduser(item.values["path"]))
        if issubclass(cls, UsesRuns):
            records = recorded_runs(cls, item.values, item.origins, self._components_of)
            item.set(records, item.origins.get(cls.run_parameter, item.origin))
        where = f"{kind.option} {item.entry.name}"
        if kind == kinds.ENCODER:
            pin_encoder_weights(item, cls.published_weights, where)
        with plugin_errors_named(item.entry, "failed"):
            component = self._configured(kind, item, cls, own)
            nested = tuple(
                each
                for nested_kind, text in component.compositions()
                for each in nested_components(
                    nested_kind, text, self._catalog, item.entry, where=self._place_of_text(kind, item, text)
                )
            )
        of_runs = self._of_runs(component, nested)
        if item.python_object is not None:
            component = holding(component, item.python_object)
        options = self._configured(kind, item, options_class, core)
        return ResolvedComponent(
            item.entry, component, options, item.origins | {"name": item.origin}, item.version, nested, of_runs
        )

    def _of_runs(self, component: Any, nested: Sequence[ResolvedComponent]) -> tuple[ResolvedComponent, ...]:
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
            ResolvedComponent(entry, load(entry), NoOptions()) for entry in recorded_entries(component, self._catalog)
        )
