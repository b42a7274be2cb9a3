"""The Python interface: everything by name, for notebooks and for the command line, which is a thin layer over it."""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .components.specs import LossSpec
from .conventions import LossFunction
from .data.cleaning_report import CleaningOptions
from .data.splits import SplitOptions
from .errors import MarssegWarning, RequestError, nearest
from .experiments.comparison import Comparison, compare_runs
from .experiments.series import Series, plan_series, run_series
from .files.run_folder import RunFolder
from .hooks import HookCaller, announce
from .networks.startup import check_backend, start_keras
from .planning import grammar
from .planning.invoke import built, calling
from .planning.options import LossOptions, TrainingOptions
from .planning.plan import NETWORK_KINDS, Plan
from .planning.resolved import Chosen
from .planning.resolver import Request, resolve
from .registry import kinds, parameters
from .registry.catalog import installed
from .registry.loading import load as load_class
from .registry.plugin_files import catalog_with

if TYPE_CHECKING:
    import keras
    import numpy as np

    from .data.arrays import SegmentationData
    from .data.ranges import Range
    from .evaluation.confusion import Confusion
    from .runs.run import Run


def _path(given: Any, what: str) -> Path:
    """A path; RequestError where something else is given."""
    if not isinstance(given, str | os.PathLike):
        raise RequestError(f"A path is expected, not {type(given).__name__}.", where=what, hint="A text or a Path.")
    return Path(given)


def _range(given: Any) -> Range:
    from .data.ranges import asked_range

    if not isinstance(given, str):
        hint = "A text such as '0..4095', '0..1' or 'bits'."
        raise RequestError(f"A range is a text, not {type(given).__name__}.", where="range", hint=hint)
    return asked_range(given, "range")


def _count(given: Any, what: str) -> int | None:
    """A whole number or None; RequestError where something else is given."""
    if given is not None and (isinstance(given, bool) or not isinstance(given, numbers.Integral)):
        raise RequestError(f"{what} is a whole number, not {given!r}.", where=what)
    return None if given is None else int(given)


def _at_least(smallest: int, **given: Any) -> list[int]:
    """Whole numbers that are not below `smallest`; RequestError, by name, where something else is given."""
    counts = []
    for what, value in given.items():
        count = _count(value, what)
        if count is None or count < smallest:
            raise RequestError(f"{what} is at least {smallest}, not {value!r}.", where=what)
        counts.append(count)
    return counts


def network(
    arch: str,
    *,
    bottleneck: str = parameters.NONE_WORD,
    height: int = 64,
    width: int = 128,
    channels: int = 1,
    num_classes: int = 5,
    seed: int | None = None,
    plugins: Sequence[str | Path] = (),
) -> keras.Model:
    """A network by name, untrained: images (B, height, width, channels) in [0, 1] → logits (B, H, W, num_classes).

    It is built in float32 and for channels last, whatever Keras' settings say, and
    checked as `run` checks it: RequestError where what is asked for does not fit together, PluginError where a
    component gives no such network. Its weights are drawn from Keras' random state as it is; a `seed` sets that state,
    with Python's and NumPy's, as `keras.utils.set_random_seed` does. `plugins` are those of `run`.

    For large images call `network.predict(images, batch_size=1)`: `network(images)` keeps all feature maps until it is
    done, which takes several times the memory.
    """
    start_keras()
    shape = _at_least(1, height=height, width=width, channels=channels)
    (classes,) = _at_least(2, num_classes=num_classes)
    request = Request(words={"arch": arch, "bottleneck": bottleneck}, plugins=plugins)
    resolved = resolve(request, installed(), only=NETWORK_KINDS)
    from .networks.build import assemble_network
    from .networks.keras_backend import precision

    if seed is not None:
        import keras

        keras.utils.set_random_seed(_at_least(0, seed=seed)[0])
    with precision():
        return assemble_network(resolved, shape, classes)


def loss(
    name: str,
    *,
    num_classes: int = 5,
    ignored: Iterable[int] = (0,),
    class_frequencies: Sequence[int] | None = None,
    plugins: Sequence[str | Path] = (),
) -> LossFunction:
    """A loss by name, for `keras.Model.compile`: (labels (B, H, W), logits (B, H, W, K)) → scalar.

    `name` is one loss with its parameters, as `--loss` takes it; `weight` multiplies it: "dice:weight=0.5". Several
    losses are as many functions, which you add, or a run, which weighs them.

    `class_frequencies` counts the pixels of each class in the training part; without it all classes count alike.
    `ignored` are classes whose pixels do not count. `plugins` are those of `run`.

    Labels are whole numbers (integers or floats) in 0 … K − 1, or 255 for void. Called directly, the function raises
    RequestError for any other label and for shapes that do not fit. In a compiled step, where it cannot, a batch with
    another label has the loss NaN and no gradient.
    """
    start_keras()
    from .networks.keras_backend import fixed_settings

    catalog = catalog_with(plugins)
    named = grammar.parse(name, where=f"loss {name}")
    if len(named) != 1:
        raise RequestError(
            f"'{name}' must name one loss.",
            hint="Several are as many functions to be added; `marsseg.run(loss=…)` joins them by a weighting.",
        )
    core = parameters.parameters_of(LossOptions)
    words = named[0].parameters
    entry = catalog.find(kinds.LOSS, named[0].name, where=name)
    own = {key: value for key, value in words.items() if key not in core}
    component = parameters.configure(load_class(entry), own, where=f"loss {entry.name}")
    given = {key: value for key, value in words.items() if key in core}
    options = parameters.configure(LossOptions, given, where=f"loss {entry.name}")
    if not options.weight:
        raise RequestError(f"The loss '{name}' has the weight 0: it would be 0 whatever is predicted.")
    alike = (1,) * num_classes if isinstance(num_classes, int) else ()
    rows: Any = (ignored, alike if class_frequencies is None else class_frequencies)
    spec = LossSpec(num_classes, *rows)
    chosen = Chosen(entry, component, options)
    if calling(chosen, component.targets, spec) is not None:
        raise RequestError(
            f"The loss '{name}' wants targets that are computed from each mask.",
            hint="`marsseg.run` trains with it; `Loss.targets` computes them in a loop of your own.",
        )
    from .training.checked_loss import checked_loss

    with fixed_settings():
        function: LossFunction = built(chosen, spec)
    checked: LossFunction = fixed_settings()(checked_loss(function, entry.name, num_classes, options.weight))
    return checked


def dataset(name: str, *, plugins: Sequence[str | Path] = (), **values: Any) -> SegmentationData:
    """A data set by name or path, read: `dataset("synthetic", count=50)`, `dataset("tiles.npz")`.

    `plugins` are those of `run`.
    """
    sets = [f"data.1.{key}={parameters.to_text(value)}" for key, value in values.items()]
    request = Request(words={"data": str(_path(name, "name"))}, sets=sets, plugins=plugins)
    data: SegmentationData = resolve(request, installed(), only=(kinds.DATASET,)).one(kinds.DATASET).load()
    return data


def plan(
    base: str | Path | None = None,
    *,
    sets: Sequence[str] = (),
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    **words: Any,
) -> Plan:
    """The resolved plan of what `run` does with these arguments."""
    options = {kind.option for kind in kinds.KINDS}
    training = {field.name for field in fields(TrainingOptions)}
    split = {field.name for field in fields(SplitOptions)} - training
    cleaning = {field.name for field in fields(CleaningOptions)}
    known = options | training | split | cleaning
    if unknown := sorted(set(words) - known):
        raise RequestError(f"A run takes no '{unknown[0]}'.", where=unknown[0], hint=nearest(unknown[0], known))
    sections = {
        "training": {key: value for key, value in words.items() if key in training},
        "split": {key: value for key, value in words.items() if key in split},
        "cleaning": {key: value for key, value in words.items() if key in cleaning},
    }
    texts = {key: _composition(key, value) for key, value in words.items() if key in options}
    if isinstance(sets, str):
        raise RequestError("sets is a list of texts.", where="sets", hint=f"sets=[{sets!r}]")
    if base is not None:
        base = _path(base, "base")
    request = Request(None if base is None else str(base), texts, sections, tuple(sets), tuple(plugins), trust)
    return resolve(request, installed())


def _composition(option: str, given: Any) -> str:
    """The text that names components; RequestError where something else is given."""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    hint = "A text names components, as in 'transformer,aspp' or 'dense:width=0.5'."
    raise RequestError(f"{option} is a text, not {type(given).__name__}.", where=option, hint=hint)


def run(
    base: str | Path | Plan | None = None,
    *,
    out: str | Path | None = None,
    sets: Sequence[str] = (),
    warn: Callable[[str], None] | None = None,
    hooks: HookCaller | None = None,
    **words: Any,
) -> Run:
    """Train and score: `run("report", arch="dense:width=0.5", epochs=3, sets=["arch.dense.depth=3"])`.

    `base` is a recipe, a plan file or a run to start from. `words` are the command line's: `arch`, `bottleneck`,
    `loss`, `weighting`, `augment`, `schedule` and `data` with a composition text; any field of the plan's training
    (`epochs`, `batch`, `seed`, …), split or cleaning with a value. `plugins` are files of components that nobody
    packaged; those that `base` names are executed only with `trust`. `out` names the run folder.

    `warn` takes a line about what went wrong without ending the run; `hooks` are the observers where they know of the
    plan already.
    """
    check_backend()
    resolved = base if isinstance(base, Plan) else plan(base, sets=sets, **words)
    warn = warn or warnings.warn
    hooks = hooks or announce(resolved, warn)
    start_keras()
    from .training.loop import execute

    return execute(resolved, out=None if out is None else Path(out), warn=warn, hooks=hooks)


def series(
    base: str | Path | Plan | None = None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    out: str | Path | None = None,
    sets: Sequence[str] = (),
    warn: Callable[[str], None] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    **words: Any,
) -> Series:
    """Run a plan with several seeds, or on several folds: `series(arch="unet", seeds=3).parts()["test"]["miou"].mean`.

    The other arguments are those of `run`; `out` names the folder that holds the runs, `tell` takes a line before each.
    """
    check_backend()
    resolved = base if isinstance(base, Plan) else plan(base, sets=sets, **words)
    kind, plans = plan_series(resolved, _count(seeds, "seeds"), _count(folds, "folds"))
    start_keras()
    return run_series(kind, plans, out=None if out is None else Path(out), warn=warn or warnings.warn, tell=tell)


def compare(*runs: str | Path, by: str = "miou", part: str = "test") -> Comparison:
    """Runs against each other, grouped by plan and ranked: run folders, or folders of runs and series."""
    if not runs:
        raise RequestError(
            "There is nothing to compare.", where="compare", hint="Give run folders, or folders of runs."
        )
    return compare_runs([_path(path, "runs") for path in runs], by=by, part=part)


def resume(path: str | Path, *, trust: bool = False, warn: Callable[[str], None] | None = None) -> Run:
    """Go on with a run that was killed or interrupted, from its last checkpoint, to its end.

    The plugins that it keeps a copy of are executed only with `trust`.
    """
    start_keras()
    from .training.loop import resume as go_on

    folder = RunFolder.open(_path(path, "path"))
    folder.check_unfinished()
    return go_on(folder, plan(path, trust=trust), warn=warn or warnings.warn)


def load(path: str | Path, *, trust: bool = False) -> keras.Model:
    """The best network of a run folder, ready to predict logits.

    Reads the file in Keras' safe mode, after the modules that define the layers of the architecture and the
    bottlenecks: nothing else of the plan needs to be installed. Where they come from a file of which the run keeps a
    copy, that is executed only with `trust`. Warns where a version is not that of the plan, the backend another one, or
    the network not as the run wrote it.

    For large images call `network.predict(images, batch_size=1)`, or `marsseg.predict`, which cuts them into tiles:
    `network(images)` keeps all feature maps until it is done, which takes several times the memory.
    """
    from .runs.load import load as load_run

    return load_run(_path(path, "path"), trust=trust, stacklevel=2)


def predict(
    runs: str | Path | Sequence[str | Path],
    images: Iterable[np.ndarray],
    *,
    flips: bool = False,
    with_ignored: bool = False,
    probabilities: bool = False,
    range: str | None = None,
    trust: bool = False,
) -> Iterator[np.ndarray]:
    """Labels (H, W) uint8 of each image, (H, W) or (H, W, C) of any size, in order; the mean of several runs.

    Images are uint8, or hold such numbers as those that the run was trained on: their values are scaled as its were.
    For others `range` says which values are black and white: "0..1", "0..4095", or "bits" for 16 bits over their whole
    range. `flips` averages over each image as it is and flipped; `probabilities` gives (H, W, K) float32 instead of
    labels. `trust` is that of `load`.

    Raises RequestError, for an image when its turn comes: values that are not finite or whose range nothing says, and
    shapes that are no image. RunError names an image, by its number from 0, for which a network's values are not
    finite. Warns at the end where values lay outside the range or reached only a small part of it.
    """
    start_keras()
    from .evaluation.confusion import check_finite, decode
    from .inference.ensemble import load_networks, open_runs, scaling_of, with_channels
    from .inference.given import GivenImages, images_of
    from .inference.predictor import Predictor

    wanted = None if range is None else _range(range)
    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    if not isinstance(several, Sequence) or not several:
        raise RequestError("A run folder is needed, or a list of them.", where="runs", hint="runs/… or run.path")
    given = images_of(images)
    opened, classes = open_runs([_path(run, "runs") for run in several])
    seen = GivenImages(wanted, scaling_of(opened))
    predictor = Predictor(load_networks(opened, trust=trust), flips=flips)
    found = predictor.probabilities(with_channels(image, predictor.channels) for image in seen(given))
    ignored = () if with_ignored else classes.ignored

    def predicted() -> Iterator[np.ndarray]:
        for number, shares in enumerate(found):
            check_finite(shares, f"image {number}")
            yield shares if probabilities else decode(shares, ignored)
        for line in seen.doubts():
            warnings.warn(line, MarssegWarning, stacklevel=2)

    return predicted()


def evaluate(
    run: str | Path, data: str | None = None, *, part: str | None = None, flips: bool = False, trust: bool = False
) -> Confusion:
    """Every score of a run: on its test part or another `part`, or on other `data`, whole unless a part is given.

    `flips` and `trust` are those of `predict`.
    """
    start_keras()
    from .inference.scoring import score_runs

    folder = RunFolder.open(_path(run, "run"))
    source = None if data is None else str(_path(data, "data"))
    part = part or ("all" if source else "test")
    (score,) = score_runs([folder], [source], part, installed(), flips=flips, trust=trust)
    return score.confusion
