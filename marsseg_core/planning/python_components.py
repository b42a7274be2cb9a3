"""Components that are passed in Python: as instances, classes or functions, or as data and Keras models."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from types import FunctionType
from typing import Any, Final

from ..components.given import NAME, network_facts
from ..components.interfaces import Component
from ..errors import RequestError
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.distribution import DISTRIBUTION
from ..registry.entries import Entry
from ..registry.kinds import ALL_KINDS, Kind
from ..registry.loading import interface_of, load
from ..registry.parameters import NONE_WORD, parameters_of, settings, to_text
from ..registry.plugin_files import LocalPlugin, component_name, make_plugin
from ..registry.source_record import SourceRecord, record_source
from . import grammar

# The value of one kind's option: a composition text, or the objects passed in Python, in order.
Given = str | tuple[Any, ...]

# The class that makes an architecture of a function. It is executed here, and stored after the function's source in
# the run's copy.
_ADAPTER: Final = '''
from dataclasses import dataclass

from marsseg_core.plugin_api import Architecture


@dataclass(frozen=True)
class {cls}(Architecture):
    """The network that the function {function} makes."""

    def build(self, spec):
        return {function}(spec)
'''


def given_components(kind: Kind, given: Any, argument: str = "") -> Given:
    """Check the value passed in Python for a kind's option; RequestError says which values are allowed.

    Errors name `argument`, by default the option.
    """
    if given is None:
        given = NONE_WORD
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if kind == kinds.DATASET and _are_arrays(given):
        return (_data_from_arrays(*given),)
    items = given if isinstance(given, list | tuple) else [given]
    return tuple(_checked(kind, item, argument or kind.option) for item in items) or NONE_WORD


def _checked(kind: Kind, item: Any, argument: str) -> Any:
    """Return the item (a path as text) if it is a text, class, instance, function, data or network for the kind."""
    if isinstance(item, str | os.PathLike):
        return os.fspath(item)
    if kind == kinds.DATASET and _is_data(item):
        return item
    cls = item if isinstance(item, type) else type(item)
    if issubclass(cls, interface_of(kind)):
        return item
    is_component = issubclass(cls, Component)
    if kind == kinds.ARCHITECTURE and callable(item) and not is_component and not isinstance(item, type):
        return item
    other_kind = getattr(cls, "kind", None) if is_component else None
    what = f"{cls.__name__}, which is {other_kind.with_article}" if other_kind else f"of type {cls.__name__}"
    hint = f"Pass a string such as 'name:key=value', {kind.with_article} as an instance or a class, or a list of these."
    if kind == kinds.DATASET:
        hint = "Pass a name, a path, a SegmentationData, or a pair of arrays: images and masks."
    raise RequestError(f"{argument} cannot be {what}.", where=argument, hint=hint)


def make_plugins(compositions: Mapping[str, Given], catalog: Catalog) -> tuple[LocalPlugin, ...]:
    """Make a local plugin for each class or function passed in Python that no entry of the catalog provides."""
    plugins: dict[str, LocalPlugin] = {}
    for kind in ALL_KINDS:
        composition = compositions.get(kind.option, ())
        for item in () if isinstance(composition, str) else composition:
            if isinstance(item, str) or _is_data(item) or _is_network(item):
                continue
            plugin = None
            if not isinstance(item, type | Component):
                plugin = _function_plugin(kind, item)
            elif _entry_of(kind, _class_of(item), catalog) is None:
                plugin = _class_plugin(kind, _class_of(item))
            if plugin is None:
                continue
            if plugin.name in plugins and plugins[plugin.name].source != plugin.source:
                raise RequestError(
                    f"Two classes or functions passed in Python would both be stored as {plugin.name}.",
                    where=kind.option,
                )
            plugins[plugin.name] = plugin
    return tuple(plugins.values())


def named_components(
    kind: Kind,
    items: tuple[Any, ...],
    catalog: Catalog,
    parse_text: Callable[[str], Iterable[grammar.NamedComponent]],
) -> list[grammar.NamedComponent]:
    """Express the objects passed in Python by their names in the catalog. `parse_text` parses texts among them."""
    named: list[grammar.NamedComponent] = []
    for item in items:
        if isinstance(item, str):
            named += parse_text(item)
        elif _is_data(item):
            facts = {"fingerprint": item.fingerprint(), "images": len(item)}
            named.append(grammar.NamedComponent(f"{DISTRIBUTION}/{NAME}", facts, python_object=item))
        elif _is_network(item):
            facts = network_facts(item)
            named.append(grammar.NamedComponent(f"{DISTRIBUTION}/{NAME}", facts, python_object=item))
        else:
            named.append(_named(kind, item, catalog))
    return named


def metrics_text(items: tuple[Any, ...], catalog: Catalog) -> str:
    """Express the metrics passed in Python as the composition text that a plan records.

    Raises RequestError for a value that such a text cannot have, as a list.
    """
    texts = []
    for named in named_components(kinds.METRIC, items, catalog, partial(grammar.parse, where="metrics")):
        defaults = parameters_of(load(catalog.find(kinds.METRIC, named.name, where="metrics")))
        values = {
            key: value if isinstance(value, str) else to_text(value)
            for key, value in named.parameters.items()
            if key not in defaults or value != defaults[key].default
        }
        if wrong := next((key for key, value in values.items() if {",", ":"} & set(value)), None):
            raise RequestError(
                f"{wrong}={values[wrong]} of the metric '{named.name}' cannot be recorded in a plan: it has a comma or "
                "a colon.",
                where="metrics",
                hint="Make it the default of the parameter, and pass the class.",
            )
        texts.append(":".join([named.name, *(f"{key}={value}" for key, value in values.items())]))
    return ",".join(texts)


def _named(kind: Kind, item: Any, catalog: Catalog) -> grammar.NamedComponent:
    if not isinstance(item, type | Component):
        plugin_name, _ = _function_names(item)
        (entry,) = (e for e in catalog.of_kind(kind) if e.distribution == f"{plugin_name}.py")
        return grammar.NamedComponent(entry.qualified_name)
    provider = _entry_of(kind, _class_of(item), catalog)
    assert provider is not None  # make_plugins made a plugin for each class that nothing else provides
    if isinstance(item, type):
        return grammar.NamedComponent(provider.qualified_name)
    load(provider)  # raises if the class is not a valid component
    return grammar.NamedComponent(provider.qualified_name, settings(item))


def _class_of(item: Any) -> type:
    return item if isinstance(item, type) else type(item)


def _entry_of(kind: Kind, cls: type, catalog: Catalog) -> Entry | None:
    """Return the entry that provides a class; None if there is none."""
    return next((entry for entry in catalog.of_kind(kind) if _provides(entry, cls)), None)


def _provides(entry: Entry, cls: type) -> bool:
    try:
        return attrgetter(entry.attribute)(sys.modules[entry.module]) is cls
    except (KeyError, AttributeError):
        return False


def _class_plugin(kind: Kind, cls: type) -> LocalPlugin:
    name = component_name(cls)
    return make_plugin(kind, name, cls.__name__, record_source(cls), {cls.__name__: cls})


def _function_plugin(kind: Kind, function: Any) -> LocalPlugin:
    name, cls = _function_names(function)
    is_named = isinstance(function, FunctionType) and function.__name__.isidentifier()
    function_name = function.__name__ if is_named else name
    if isinstance(function, FunctionType) and function_name == function.__name__:
        record = record_source(function)
    else:
        record = SourceRecord("", {}, (function_name,))
    adapter = _ADAPTER.format(cls=cls, function=function_name)
    record = SourceRecord(record.text + adapter, record.defined, record.missing)
    return make_plugin(kind, name, cls, record, {function_name: function}, adapter)


def _function_names(function: Any) -> tuple[str, str]:
    """Return the name of the component made of a function, and the name of its class."""
    function_name = getattr(function, "__name__", "")
    base = function_name if function_name.isidentifier() else "network"
    words = [word for word in re.split(r"\W|_", base) if word] or ["network"]
    name, cls = "_".join(words).lower(), "".join(word[0].upper() + word[1:] for word in words)
    return name, f"{cls}Network" if cls == function_name else cls


def _are_arrays(value: Any) -> bool:
    """Return whether a value is a pair of arrays, and not a list of components."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(hasattr(each, "dtype") for each in value)


def _data_from_arrays(images: Any, masks: Any) -> Any:
    """Make data of two arrays. The classes are called class_0, class_1, … up to the highest label in the masks."""
    import numpy as np

    from ..conventions import VOID
    from ..data.arrays import SegmentationData

    labels = np.unique(masks) if isinstance(masks, np.ndarray) and masks.dtype == np.uint8 else np.array([], np.uint8)
    count = max(2, 1 + int(labels[labels != VOID].max(initial=0)))
    return SegmentationData(images, masks, tuple(f"class_{c}" for c in range(count)), source="arrays given in Python")


def _is_data(item: Any) -> bool:
    from ..data.arrays import SegmentationData

    return isinstance(item, SegmentationData)


def _is_network(item: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(item, keras.Model)
