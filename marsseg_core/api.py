"""The Python interface: everything by name, for notebooks and for the command line, which is a thin layer over it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from .components.interfaces import Architecture, Bottleneck, Loss
from .components.specs import LossSpec
from .conventions import HEADLINE, LossFunction
from .errors import RequestError, nearest
from .experiments.comparison import Comparison, compare_runs
from .experiments.series import Series, plan_series, run_series
from .files.run_folder import RunFolder
from .hooks import GivenCallbacks, HookCaller, announce
from .messages import get_logger
from .networks.startup import check_backend, start_keras
from .planning.arguments import count_of, flag_of, path_of, paths_of, request_of, text_of, value_of
from .planning.invoke import build_component, call_component
from .planning.plan import NETWORK_KINDS, Plan
from .planning.python_components import given_components
from .planning.resolver import resolve
from .planning.run_arguments import AS_PLANNED, RunArguments, SeriesArguments, shows_arguments
from .registry import kinds, parameters
from .registry.kinds import ALL_KINDS
from .registry.listing import ComponentInfo, describe, find_kind
from .registry.session import open_session
from .shown import show_by

if TYPE_CHECKING:
    import keras
    import numpy as np

    from .data.arrays import SegmentationData
    from .data.ranges import Range
    from .evaluation.confusion import Confusion
    from .planning.run_arguments import Data, Network
    from .runs.run import Run

    AnyPath = str | os.PathLike[str]

_logger = get_logger(__name__)


def _html(shown: Any) -> str:
    from .figures.notebook import html_of

    return html_of(shown)


show_by(_html)


def _range(given: Any) -> Range:
    from .data.ranges import asked_range

    if not isinstance(given, str):
        hint = "A text such as '0..4095', '0..1' or 'bits'."
        raise RequestError(f"A range is a text, not {type(given).__name__}.", where="range", hint=hint)
    return asked_range(given, "range")


def list_components(kind: str | None = None, *, plugins: Sequence[AnyPath] = ()) -> list[ComponentInfo]:
    """List what is installed: components, recipes and observers, or those of one kind ("loss", "losses").

    No installed plugin is imported for it; those files of `plugins` are. RequestError where there is no such kind.
    """
    chosen = None if kind is None else find_kind(text_of(kind, "kind"))
    if kind is not None and chosen is None:
        hint = nearest(kind, [each.name for each in ALL_KINDS])
        raise RequestError(f"There is no kind '{kind}'.", where="kind", hint=hint)
    return describe(chosen, paths_of(plugins, "plugins"))


def network(
    arch: str | Architecture | type[Architecture] | Network,
    *,
    bottleneck: str | Bottleneck | type[Bottleneck] | Sequence[str | Bottleneck | type[Bottleneck]] | None = None,
    height: int = 64,
    width: int = 128,
    channels: int = 1,
    num_classes: int = 5,
    seed: int | None = None,
    plugins: Sequence[AnyPath] = (),
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
    sizes = {"height": height, "width": width, "channels": channels}
    shape = [count_of(value, name, at_least=1) for name, value in sizes.items()]
    classes = count_of(num_classes, "num_classes", at_least=2)
    request = request_of(arguments={"arch": arch, "bottleneck": bottleneck}, plugins=plugins)
    resolved = resolve(request, open_session(), only=NETWORK_KINDS)
    from .networks.build import assemble_network
    from .networks.keras_backend import precision

    if seed is not None:
        import keras

        keras.utils.set_random_seed(count_of(seed, "seed", at_least=0))
    with precision():
        return assemble_network(resolved, shape, classes)


def loss(
    name: str | Loss | type[Loss],
    *,
    num_classes: int = 5,
    ignore_classes: Iterable[int] = (0,),
    class_frequencies: Sequence[int] | None = None,
    plugins: Sequence[AnyPath] = (),
) -> LossFunction:
    """A loss by name, for `keras.Model.compile`: (labels (B, H, W), logits (B, H, W, K)) → scalar.

    `name` is one loss with its parameters, as `--loss` takes it; `weight` multiplies it: "dice:weight=0.5". Several
    losses are as many functions, which you add, or a run, which weighs them.

    `class_frequencies` counts the pixels of each class in the training subset; without it all classes count alike.
    `ignore_classes` are classes whose pixels do not count. `plugins` are those of `run`.

    Labels are whole numbers (integers or floats) in 0 … K − 1, or 255 for void. Called directly, the function raises
    RequestError for any other label and for shapes that do not fit. In a compiled step, where it cannot, a batch with
    another label has the loss NaN and no gradient.
    """
    start_keras()
    from .networks.keras_backend import fixed_settings

    request = request_of(arguments={"loss": name}, plugins=plugins)
    named = request.compositions["loss"] != parameters.NONE_WORD
    found = resolve(request, open_session(), only=(kinds.LOSS,)).resolved[kinds.LOSS] if named else ()
    if len(found) != 1:
        raise RequestError(
            f"'{name}' must name one loss.",
            hint="Several are as many functions to be added; `marsseg.run(loss=…)` joins them by a weighting.",
        )
    (chosen,) = found
    alike = (1,) * num_classes if isinstance(num_classes, int) else ()
    rows: Any = (ignore_classes, alike if class_frequencies is None else class_frequencies)
    spec = LossSpec(num_classes, *rows)
    if call_component(chosen, chosen.component.targets, spec) is not None:
        raise RequestError(
            f"The loss '{name}' wants targets that are computed from each mask.",
            hint="`marsseg.run` trains with it; `Loss.targets` computes them in a loop of your own.",
        )
    from .training.checked_loss import checked_loss

    with fixed_settings():
        function: LossFunction = build_component(chosen, spec)
    weight: Any = chosen.values["weight"]
    checked: LossFunction = fixed_settings()(checked_loss(function, chosen.entry.name, num_classes, weight))
    return checked


def dataset(name: AnyPath, *, plugins: Sequence[AnyPath] = (), **values: Any) -> SegmentationData:
    """A data set by name or path, read: `dataset("synthetic", count=50)`, `dataset("tiles.npz")`.

    `plugins` are those of `run`.
    """
    overrides = [f"data.1.{key}={parameters.to_text(value_of(value, key))}" for key, value in values.items()]
    request = request_of(arguments={"data": path_of(name, "name")}, overrides=overrides, plugins=plugins)
    data: SegmentationData = resolve(request, open_session(), only=(kinds.DATASET,)).one(kinds.DATASET).load()
    return data


@shows_arguments(RunArguments)
def plan(
    base: AnyPath | None = None,
    *,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    trust: bool = False,
    **arguments: Unpack[RunArguments],
) -> Plan:
    """The resolved plan of what `run` does with these arguments. Nothing is read, built or run; Keras is not needed."""
    return resolve(request_of(base, arguments, overrides, plugins), open_session(trust=flag_of(trust, "trust")))


def _planned(base: Any, overrides: Any, plugins: Any, trust: Any, arguments: Any) -> Plan:
    """The plan that is given, or that of the arguments; RequestError where both are."""
    if not isinstance(base, Plan):
        return plan(base, overrides=overrides, plugins=plugins, trust=trust, **arguments)
    more = {"overrides": overrides, "plugins": plugins, "trust": trust}.items()
    given = [name for name, value in arguments.items() if value is not AS_PLANNED]
    if given := [*given, *(name for name, value in more if value not in ((), [], False))]:
        raise RequestError(
            f"A plan is whole: '{given[0]}' does not go with it.", where="base", hint="Give it to marsseg.plan(…)."
        )
    return base


@shows_arguments(RunArguments)
def run(
    base: AnyPath | Plan | None = None,
    *,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    trust: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    hooks: HookCaller | None = None,
    **arguments: Unpack[RunArguments],
) -> Run:
    """Train and score: `run("report", arch="dense:width=0.5", epochs=3, overrides=["arch.dense.depth=3"])`.

    `base` is a recipe, a plan file, a run or a `Plan` to start from. `arguments` are the command line's: `arch`,
    `bottleneck`, `loss`, `weighting`, `augment`, `schedule`, `optimizer` and `data`; any field of the plan's training
    (`epochs`, `batch`, `seed`, …), split or cleaning with a value. What is left out is as `base` says.

    A component is a text, as on the command line, an instance (`loss=Dice(epsilon=1e-5)`) or a class, several are a
    list of these, `None` is none. Where nothing installed provides a class, such as that of a notebook's cell, the run
    keeps its source. `arch` is also a `keras.Model`, of which a copy is trained, or a function that makes one from a
    `NetworkSpec`; `data` is also a `SegmentationData`, or a pair of arrays of images and masks.

    `plugins` are files of components and hooks that nobody packaged; those that `base` names are executed only with
    `trust`. `out` names the run folder. `callbacks` are Keras callbacks to train with, of which the plan knows nothing.

    `hooks` are the observers where they know of the plan already.
    """
    check_backend()
    folder = None if out is None else path_of(out, "out")
    resolved = _planned(base, overrides, plugins, trust, arguments)
    given = _callbacks(callbacks)
    if hooks is not None and not isinstance(hooks, HookCaller):
        raise RequestError(f"hooks are a HookCaller, not {type(hooks).__name__}.", where="hooks")
    hooks = hooks or announce(resolved)
    start_keras()
    from .training.loop import execute

    return execute(resolved, out=folder, hooks=given.joined_to(hooks))


def _callbacks(given: Any) -> GivenCallbacks:
    """Keras callbacks; RequestError where something else is given. Without any, Keras is not imported for it."""
    several = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if several:
        start_keras()
        import keras

        if wrong := [each for each in several if not isinstance(each, keras.callbacks.Callback)]:
            hint = "Such as [keras.callbacks.EarlyStopping('val_loss')]; a class is called first."
            what = f"callbacks are a list of Keras callbacks, with no {type(wrong[0]).__name__}."
            raise RequestError(what, where="callbacks", hint=hint)
    return GivenCallbacks(several)


@shows_arguments(SeriesArguments)
def series(
    base: AnyPath | Plan | None = None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    out: AnyPath | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    trust: bool = False,
    **arguments: Unpack[SeriesArguments],
) -> Series:
    """Run a plan with several seeds, or on several folds: `series(seeds=3).subsets()["test"]["miou"].mean`.

    The other arguments are those of `run`; `out` names the folder that holds the runs.
    """
    check_backend()
    folder = None if out is None else path_of(out, "out")
    counts = [None if count is None else count_of(count, name) for name, count in (("seeds", seeds), ("folds", folds))]
    kind, plans = plan_series(_planned(base, overrides, plugins, trust, arguments), *counts)
    start_keras()
    return run_series(kind, plans, out=folder)


def compare(*runs: AnyPath, by: str = HEADLINE, subset: str = "test") -> Comparison:
    """Runs against each other, grouped by plan and ranked: runs, run folders, or folders of runs and series."""
    if not runs:
        raise RequestError(
            "There is nothing to compare.", where="compare", hint="Give run folders, or folders of runs."
        )
    paths = [path_of(path, "runs") for path in runs]
    return compare_runs(paths, by=text_of(by, "by"), subset=text_of(subset, "subset"))


def resume(
    path: AnyPath,
    *,
    data: AnyPath | Data | None = None,
    arch: keras.Model | None = None,
    trust: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Go on with a run that was killed or interrupted, from its last checkpoint, to its end.

    The plugins that it keeps a copy of are executed only with `trust`. `data` and `arch` are what the run began with,
    where that was given in Python and not by name, or, of `data`, where it is at another place now; RequestError where
    they are not the same.
    """
    start_keras()
    from .training.loop import resume as go_on

    folder = RunFolder.open(path_of(path, "path"))
    folder.check_unfinished()
    given = _callbacks(callbacks)
    resolved = plan(folder, trust=trust)
    again: RunArguments = {}
    if data is not None:
        again["data"] = data
    if arch is not None:
        again["arch"] = arch
    if again:
        before, resolved = resolved, plan(folder, trust=trust, **again)
        if before.one(kinds.ARCHITECTURE) != resolved.one(kinds.ARCHITECTURE):
            raise RequestError("The network is not the one that the run began with.", where="arch")
    return go_on(folder, resolved, hooks=given.joined_to(announce(resolved)))


def load(path: AnyPath, *, trust: bool = False) -> keras.Model:
    """The best network of a run folder, ready to predict logits.

    Reads the file in Keras' safe mode, after the modules that define the layers of the architecture and the
    bottlenecks: nothing else of the plan needs to be installed. Where they come from a file of which the run keeps a
    copy, that is executed only with `trust`. Warns where a version is not that of the plan, the backend another one, or
    the network not as the run wrote it.

    For large images call `network.predict(images, batch_size=1)`, or `marsseg.predict`, which cuts them into tiles:
    `network(images)` keeps all feature maps until it is done, which takes several times the memory.
    """
    from .runs.load import load as load_run

    return load_run(path_of(path, "path"), open_session(trust=flag_of(trust, "trust")))


def predict(
    runs: AnyPath | Sequence[AnyPath],
    images: Iterable[np.ndarray],
    *,
    tta: bool = False,
    with_ignored: bool = False,
    probabilities: bool = False,
    range: str | None = None,
    trust: bool = False,
) -> Iterator[np.ndarray]:
    """Labels (H, W) uint8 of each image, (H, W) or (H, W, C) of any size, in order; the mean of several runs.

    Images are uint8, or hold such numbers as those that the run was trained on: their values are scaled as its were.
    For others `range` says which values are black and white: "0..1", "0..4095", or "bits" for 16 bits over their whole
    range. `tta` averages over each image as it is and flipped; `probabilities` gives (H, W, K) float32 instead of
    labels. `trust` is that of `load`.

    Raises RequestError, for an image when its turn comes: values that are not finite or whose range nothing says, and
    shapes that are no image. RunError names an image, by its number from 0, for which a network's values are not
    finite. Warns at the end where values lay outside the range or reached only a small part of it.
    """
    start_keras()
    from .evaluation.confusion import check_finite, decode
    from .inference.ensemble import load_networks, open_runs, scaling_of, with_channels
    from .inference.given_images import GivenImages, images_of
    from .inference.predictor import Predictor

    wanted = None if range is None else _range(range)
    tta, trust = flag_of(tta, "tta"), flag_of(trust, "trust")
    probabilities = flag_of(probabilities, "probabilities")
    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    if not isinstance(several, Sequence) or not several:
        raise RequestError("A run folder is needed, or a list of them.", where="runs", hint="runs/… or run.path")
    given = images_of(images)
    opened, classes = open_runs([path_of(run, "runs") for run in several])
    seen = GivenImages(wanted, scaling_of(opened))
    session = open_session(trust=flag_of(trust, "trust"))
    predictor = Predictor(load_networks(opened, session), tta=tta)
    found = predictor.probabilities(with_channels(image, predictor.channels) for image in seen(given))
    ignore_classes = () if flag_of(with_ignored, "with_ignored") else classes.ignore_classes

    def predicted() -> Iterator[np.ndarray]:
        for number, shares in enumerate(found):
            check_finite(shares, f"image {number}")
            yield shares if probabilities else decode(shares, ignore_classes)
        for line in seen.doubts():
            _logger.warning(line)

    return predicted()


def evaluate(
    run: AnyPath,
    data: AnyPath | Data | None = None,
    *,
    subset: str | None = None,
    metrics: str | None = None,
    tta: bool = False,
    trust: bool = False,
) -> Confusion:
    """Every score of a run: on its test subset or another `subset`, or on other `data`, whole unless a subset is given.

    `metrics` names some to be computed besides, as in "boundary_iou,boundary_f:tolerance=2": `.value("boundary_iou")`.
    Data that was given to the run in Python is given again for its subsets: `evaluate(run, data, subset="test")`. `tta`
    and `trust` are those of `predict`.
    """
    start_keras()
    from .inference.scoring import score_runs

    folder = RunFolder.open(path_of(run, "run"))
    source = None if data is None else given_components(kinds.DATASET, data)
    subset = text_of(subset, "subset") if subset is not None else "all" if source else "test"
    more = None if metrics is None else text_of(metrics, "metrics")
    session = open_session(trust=flag_of(trust, "trust"))
    (score,) = score_runs([folder], [source], subset, session, metrics=more, tta=flag_of(tta, "tta"))
    return score.confusion
