"""Components given in Python: as instances, as classes, as functions, or as the very objects they stand for."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
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
from ..registry.parameters import NONE_WORD, settings
from ..registry.plugin_files import LocalPlugin, component_name, defined_plugin
from ..registry.source_record import SourceRecord, record_source
from . import grammar

# What one word of a request may hold: a composition text, or what was given, in order.
Given = str | tuple[Any, ...]

# A function as an architecture: what is executed here and, with the function before it, in a run's copy.
_ADAPTER: Final = '''
from dataclasses import dataclass

from marsseg_core.plugin_api import Architecture


@dataclass(frozen=True)
class {cls}(Architecture):
    """The network that the function {function} makes."""

    def build(self, spec):
        return {function}(spec)
'''


def given_components(kind: Kind, given: Any) -> Given:
    """Check what is given for a kind's option; RequestError says what may be."""
    if given is None:
        given = NONE_WORD
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if kind == kinds.DATASET and _are_arrays(given):
        return (_data_of(*given),)
    items = given if isinstance(given, list | tuple) else [given]
    return tuple(_checked(kind, item) for item in items) or NONE_WORD


def _checked(kind: Kind, item: Any) -> Any:
    """An item as text, class, instance, data or network."""
    if isinstance(item, str | os.PathLike):
        return os.fspath(item)
    if kind == kinds.DATASET and _is_data(item):
        return item
    cls = item if isinstance(item, type) else type(item)
    if issubclass(cls, interface_of(kind)):
        return item
    component = issubclass(cls, Component)
    if kind == kinds.ARCHITECTURE and callable(item) and not component and not isinstance(item, type):
        return item
    other = getattr(cls, "kind", None) if component else None
    what = f"{cls.__name__}, which is {other.with_article}" if other else f"what is given, of type {cls.__name__}"
    hint = f"A text such as 'name:key=value', {kind.with_article} as instance or class, or a list of these."
    if kind == kinds.DATASET:
        hint = "A name, a path, a SegmentationData, or a pair of arrays: images and masks."
    raise RequestError(f"{kind.option} cannot be {what}.", where=kind.option, hint=hint)


def defined_plugins(compositions: Mapping[str, Given], catalog: Catalog) -> tuple[LocalPlugin, ...]:
    """A plugin for each class or function among the components given that nothing in the catalog provides."""
    found: dict[str, LocalPlugin] = {}
    for kind in ALL_KINDS:
        given = compositions.get(kind.option, ())
        for item in () if isinstance(given, str) else given:
            if isinstance(item, str) or _is_data(item) or _is_network(item):
                continue
            plugin = None
            if not isinstance(item, type | Component):
                plugin = _function_plugin(kind, item)
            elif _entry_of(kind, _class_of(item), catalog) is None:
                plugin = _class_plugin(kind, _class_of(item))
            if plugin is None:
                continue
            if plugin.name in found and found[plugin.name].source != plugin.source:
                raise RequestError(f"Two things given in Python would be kept as {plugin.name}.", where=kind.option)
            found[plugin.name] = plugin
    return tuple(found.values())


def named_components(
    kind: Kind, given: tuple[Any, ...], catalog: Catalog, from_text: Callable[[str], Iterable[grammar.Named]]
) -> list[grammar.Named]:
    """What was given by the names that the catalog has for it; `from_text` reads a text among it."""
    found: list[grammar.Named] = []
    for item in given:
        if isinstance(item, str):
            found += from_text(item)
        elif _is_data(item):
            facts = {"fingerprint": item.fingerprint(), "images": len(item)}
            found.append(grammar.Named(f"{DISTRIBUTION}/{NAME}", facts, held=item))
        elif _is_network(item):
            found.append(grammar.Named(f"{DISTRIBUTION}/{NAME}", network_facts(item), held=item))
        else:
            found.append(_named(kind, item, catalog))
    return found


def _named(kind: Kind, item: Any, catalog: Catalog) -> grammar.Named:
    if not isinstance(item, type | Component):
        plugin_name, _ = _function_names(item)
        (entry,) = (e for e in catalog.of_kind(kind) if e.distribution == f"{plugin_name}.py")
        return grammar.Named(entry.qualified_name)
    found = _entry_of(kind, _class_of(item), catalog)
    assert found is not None  # as what nothing provides has a plugin of its own
    if isinstance(item, type):
        return grammar.Named(found.qualified_name)
    load(found)  # says what is wrong with a class that is no component
    return grammar.Named(found.qualified_name, settings(item))


def _class_of(item: Any) -> type:
    return item if isinstance(item, type) else type(item)


def _entry_of(kind: Kind, cls: type, catalog: Catalog) -> Entry | None:
    """The entry that provides a class; None where there is none."""
    return next((entry for entry in catalog.of_kind(kind) if _provides(entry, cls)), None)


def _provides(entry: Entry, cls: type) -> bool:
    try:
        return attrgetter(entry.attribute)(sys.modules[entry.module]) is cls
    except (KeyError, AttributeError):
        return False


def _class_plugin(kind: Kind, cls: type) -> LocalPlugin:
    name = component_name(cls)
    return defined_plugin(kind, name, cls.__name__, record_source(cls), {cls.__name__: cls})


def _function_plugin(kind: Kind, function: Any) -> LocalPlugin:
    name, cls = _function_names(function)
    own = function.__name__ if isinstance(function, FunctionType) and function.__name__.isidentifier() else name
    if isinstance(function, FunctionType) and own == function.__name__:
        record = record_source(function)
    else:
        record = SourceRecord("", {}, (own,))
    adapter = _ADAPTER.format(cls=cls, function=own)
    record = SourceRecord(record.text + adapter, record.defined, record.missing)
    return defined_plugin(kind, name, cls, record, {own: function}, adapter)


def _function_names(function: Any) -> tuple[str, str]:
    """What the component that a function makes is called, and its class."""
    own = getattr(function, "__name__", "")
    words = [word for word in re.split(r"\W|_", own if own.isidentifier() else "network") if word] or ["network"]
    name, cls = "_".join(words).lower(), "".join(word[0].upper() + word[1:] for word in words)
    return name, f"{cls}Network" if cls == own else cls


def _are_arrays(given: Any) -> bool:
    """Whether it is a pair of arrays, rather than a list of components."""
    return isinstance(given, list | tuple) and len(given) == 2 and all(hasattr(each, "dtype") for each in given)


def _data_of(images: Any, masks: Any) -> Any:
    """Data of arrays alone: its classes are numbered, as far as the masks go."""
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
