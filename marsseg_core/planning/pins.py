"""Pin what a plan names: absolute paths, hashes of networks and splits, one spelling of values with the same meaning.

A plan that is pinned means the same in another working directory, and says if what it names has changed. The functions
change the section `training`, or an encoder, while the plan is built.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from ..data.split_check import checked_hash
from ..data.split_options import DRAWN, GIVEN
from ..data.split_source import SplitSource
from ..errors import RequestError, nearest
from ..files.run_folder import RunFolder
from ..registry import kinds, parameters
from ..registry.catalog import Catalog
from .encoder_weights import check_encoder_of_run, hash_of_weights, path_of_weights
from .grammar import NamedComponent, resolve_composition
from .layers import OLDER_PLAN, OVERRIDES, Item, Values
from .metrics import canonical_monitor
from .options import OF_LABELLED_DATA, OWN, TRAINING
from .recognition import named_dataset
from .unlabelled_source import UnlabelledSource


def pin_initial_weights(section: Values) -> None:
    """Make `init` an absolute path, and add the hash of its network unless the same layer sets it."""
    if "init" not in section.values:
        return
    init, origin = section.values["init"], section.origins["init"]
    if section.origins.get("init_hash", origin) not in (origin, *OVERRIDES):
        section.set({"init_hash": None}, origin)  # the hash belongs to the run that an earlier layer named
    if not isinstance(init, str) or init == parameters.NONE_WORD:
        return
    path = Path(init).absolute()
    init_hash = section.values.get("init_hash") or parameters.NONE_WORD
    if init_hash == parameters.NONE_WORD:
        section.set({"init_hash": RunFolder.open(path).network_hash()}, origin)
    section.set({"init": str(path)}, origin)


def pin_subsets(section: Values) -> None:
    """Make the files of `subsets` absolute, and add their hash unless the same layer sets it.

    An older plan has no hash: it gets that of the files of today, if they are still there.
    """
    text, origin = section.values.get("subsets", GIVEN), section.origins.get("subsets", "")
    earlier = section.origins.get("subsets_hash", origin)
    if earlier not in (origin, *OVERRIDES, OLDER_PLAN):
        section.set({"subsets_hash": None}, origin)  # the hash belongs to the files that an earlier layer named
    if not isinstance(text, str) or text in ("", GIVEN, DRAWN):
        return
    source = SplitSource.of(text)
    section.set({"subsets": source.text}, origin)
    if section.values.get("subsets_hash") in (None, parameters.NONE_WORD):
        with suppress(RequestError) if earlier == OLDER_PLAN else nullcontext():
            section.set({"subsets_hash": checked_hash(source)}, origin)


def overlay_unlabelled(section: Values, text: Any, catalog: Catalog) -> Any:
    """Return a new value of `unlabelled`, with the parameters of an earlier one of the same data set.

    As with `--data`, a path alone names another place: how the data are read stays as it is.
    """
    if not isinstance(text, str):
        return text
    source, earlier = (UnlabelledSource.of(each) for each in (text, section.values.get("unlabelled", OWN)))
    if not (source.is_named and earlier.is_named):
        return text
    new, old = (_unlabelled_dataset(each.others, catalog) for each in (source, earlier))
    if catalog.find(kinds.DATASET, new.name) != catalog.find(kinds.DATASET, old.name):
        return text
    return source.with_others(_composition(new.name, {**old.parameters, **new.parameters}))


def pin_unlabelled(section: Values, catalog: Catalog) -> None:
    """Check `unlabelled`, and make its path absolute, since the plan may be read from another working directory."""
    text = section.values.get("unlabelled", OWN)
    if not isinstance(text, str):
        return
    source = UnlabelledSource.of(text)
    others = source.others
    if source.is_named:
        others = _pinned_dataset(others, f"--unlabelled {text}", catalog)
    if (pinned := source.with_others(others)) != text:
        section.set({"unlabelled": pinned}, section.origins["unlabelled"])


def _pinned_dataset(others: str, where: str, catalog: Catalog) -> str:
    """Return the composition text of a data set with an absolute path. Raises RequestError where it cannot be used."""
    named = _unlabelled_dataset(others, catalog)
    values = {key: str(value) for key, value in named.parameters.items()}
    if "path" in values:
        values["path"] = os.path.abspath(os.path.expanduser(values["path"]))
    if split := next((value for value in values.values() if set(value) & {":", ","}), None):
        raise RequestError(
            f"'{split}' has a colon or a comma, which separate components and parameters.",
            where=where,
            hint="Name a link to it without them.",
        )
    composition = _composition(named.name, values)
    try:
        resolve_composition(kinds.DATASET, composition, catalog)
    except RequestError as error:
        error.where = where
        raise
    return composition


def _unlabelled_dataset(text: str, catalog: Catalog) -> NamedComponent:
    try:
        return named_dataset(text, f"--unlabelled {text}", catalog, labels=False)
    except RequestError as error:
        if "," in text:
            error.hint = f"Name one data set or path. After a comma, only the word {TRAINING} may follow."
        elif not {"/", ":"} & set(text):
            hint = nearest(text, (*OF_LABELLED_DATA, TRAINING), listing="Or the images of the labelled data set")
            error.hint = hint if hint.startswith("Did") else "\n".join(filter(None, [error.hint, hint]))
        raise


def _composition(name: str, values: Mapping[str, Any]) -> str:
    return ":".join([name, *(f"{key}={value}" for key, value in values.items())])


def forget_chosen_precision(section: Values) -> None:
    """Remove the record that a run chose its `precision`, if a later layer sets another one."""
    origin = section.origins.get("precision", "")
    if section.origins.get("precision_from", origin) not in (origin, *OVERRIDES):
        section.set({"precision_from": None}, origin)


def set_canonical_monitor(section: Values, catalog: Catalog) -> None:
    """Replace `monitor` by its canonical form, so that plans with the same meaning compare as equal."""
    if isinstance(text := section.values.get("monitor"), str):
        section.set({"monitor": canonical_monitor(text, catalog)}, section.origins["monitor"])


def pin_encoder_weights(item: Item, published: Sequence[str], where: str) -> None:
    """Make the path of an encoder's weights absolute, and add their hash unless the same layer sets it.

    Published weights may have to be downloaded first: the hash of theirs is recorded when the run begins.
    """
    weights, origin = item.values.get("weights"), item.origins.get("weights", "")
    if item.origins.get("weights_hash", origin) not in (origin, *OVERRIDES):
        item.set({"weights_hash": None}, origin)  # the hash belongs to the weights that an earlier layer named
    if not isinstance(weights, str) or weights == parameters.NONE_WORD:
        return
    path = path_of_weights(weights, published)
    if path is None:
        return
    if item.values.get("weights_hash") in (None, parameters.NONE_WORD):
        if os.path.isdir(path):
            check_encoder_of_run(path, item.entry.name)
        item.set({"weights_hash": hash_of_weights(path, published, where)}, origin)
    item.set({"weights": str(path)}, origin)
