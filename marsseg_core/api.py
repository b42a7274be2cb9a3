"""The Python interface: everything by name, for notebooks and for the command line, which is a thin layer over it."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import kinds, parameters
from .catalog import installed
from .components import LossFunction, LossSpec, NetworkSpec
from .composition import components
from .errors import RequestError
from .kinds import Kind
from .plan import Plan, Request, SplitOptions, TrainingOptions, resolve
from .runs import RunFolder

if TYPE_CHECKING:
    import keras

    from .data.arrays import SegmentationData
    from .training.run import Run


def _one(kind: Kind, text: str) -> Any:
    found = components(kind, text)
    if len(found) != 1:
        raise RequestError(f"'{text}' must name one {kind}.")
    return found[0]


def network(
    arch: str,
    *,
    bottleneck: str = parameters.NONE_WORD,
    height: int = 64,
    width: int = 128,
    channels: int = 1,
    num_classes: int = 5,
) -> keras.Model:
    """A network by name, untrained: images (B, height, width, channels) in [0, 1] → logits (B, H, W, num_classes)."""
    compose = partial(components, kinds.BOTTLENECK)
    spec = NetworkSpec(height, width, channels, num_classes, compose(bottleneck), compose)
    built: keras.Model = _one(kinds.ARCHITECTURE, arch).build(spec)
    return built


def loss(
    name: str,
    *,
    num_classes: int = 5,
    ignored: Iterable[int] = (0,),
    class_frequencies: Sequence[int] | None = None,
) -> LossFunction:
    """A loss by name, for `keras.Model.compile`: (labels (B, H, W), logits (B, H, W, K)) → scalar.

    `class_frequencies` counts the pixels of each class in the training part; without it all classes count alike.
    """
    frequencies = tuple(class_frequencies) if class_frequencies is not None else (1,) * num_classes
    function: LossFunction = _one(kinds.LOSS, name).build(LossSpec(num_classes, tuple(ignored), frequencies))
    return function


def dataset(name: str, **values: Any) -> SegmentationData:
    """A data set by name or path, read: `dataset("synthetic", count=50)`, `dataset("tiles.npz")`."""
    sets = [f"data.1.{key}={parameters.to_text(value)}" for key, value in values.items()]
    data: SegmentationData = resolve(Request(words={"data": name}, sets=sets), installed()).one(kinds.DATASET).load()
    return data


def plan(base: str | Path | None = None, *, sets: Sequence[str] = (), **words: Any) -> Plan:
    """A resolved plan: `plan("report", arch="dense:width=0.5", epochs=3, sets=["arch.dense.depth=3"])`.

    `words` are the command line's: `arch`, `bottleneck`, `loss`, `weighting`, `augment`, `schedule` and `data` with
    a composition text; any field of the plan's training (`epochs`, `batch`, `seed`, …) or split with a value.
    """
    options = {kind.option for kind in kinds.KINDS}
    training = {field.name for field in fields(TrainingOptions)}
    split = {field.name for field in fields(SplitOptions)} - training
    if unknown := sorted(set(words) - options - training - split):
        raise TypeError(f"a run takes no '{unknown[0]}'")
    sections = {
        "training": {key: value for key, value in words.items() if key in training},
        "split": {key: value for key, value in words.items() if key in split},
    }
    texts = {key: str(value) for key, value in words.items() if key in options}
    return resolve(Request(None if base is None else str(base), texts, sections, tuple(sets)), installed())


def run(
    base: str | Path | Plan | None = None,
    *,
    out: str | Path | None = None,
    sets: Sequence[str] = (),
    warn: Callable[[str], None] | None = None,
    **words: Any,
) -> Run:
    """Train and score: the arguments are those of `plan` (or a plan itself), `out` names the run folder."""
    from .training.run import execute

    resolved = base if isinstance(base, Plan) else plan(base, sets=sets, **words)
    return execute(resolved, out=None if out is None else Path(out), warn=warn or warnings.warn)


def load(path: str | Path) -> keras.Model:
    """The best network of a run folder, ready to predict logits.

    Reads the file in Keras' safe mode, after the modules that define the layers of the plan's components.
    """
    folder = RunFolder.open(path)
    if not folder.network.is_file():
        raise RequestError("The run ended before its first epoch: it has no network.", where=str(path))
    resolved = resolve(Request(base=str(path)), installed())
    from .backend import keep_tensorflow_out
    from .training.run import load_network

    keep_tensorflow_out()
    for kind in (kinds.ARCHITECTURE, kinds.BOTTLENECK):
        for part in resolved.components(kind):
            nested = [inner for inner_kind, text in part.compositions() for inner in components(inner_kind, text)]
            for owner in (part, *nested):
                for module in owner.layer_modules:
                    importlib.import_module(module)
    return load_network(folder)
