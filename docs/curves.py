"""Draw the curves of losses, weightings and schedules, with the components themselves."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from picture import Picture, name_of, picture

from marsseg_core.cli.loading import load_keras
from marsseg_core.figures import canvas
from marsseg_core.figures.colours import INK
from marsseg_core.plugin_api import LossSpec, ScheduleSpec, WeightingSpec
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import LOSS, WEIGHTING
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of

EPOCHS, STEPS = 20, 10
# The values of parameters that must be given.
GIVEN: Final[dict[str, dict[str, Any]]] = {"distill": {"runs": ("teacher",)}, "scheduled": {"end": (0.25, 0.75)}}
SHARES: Final = np.linspace(0.02, 0.98, 25)
TEACHER: Final = 0.8
FAST, SLOW = "falls fast", "falls slowly"
DASHED: Final = (0, (5, 1.5))


def curve_of(entry: Entry) -> Picture:
    """Draw the curve of a loss, a weighting or a schedule."""
    load_keras()
    import keras

    keras.utils.set_random_seed(0)  # the same site in each build
    component = load(entry)(**GIVEN.get(entry.name, {}))
    if entry.kind == LOSS:
        return loss_curve(entry, component)
    return weighting_curve(entry, component) if entry.kind == WEIGHTING else schedule_curve(entry, component)


def loss_curve(entry: Entry, loss: Any) -> Picture:
    """Draw a loss over the probability that each pixel gives to its class: two classes, each half of an image."""
    masks = np.repeat(np.array([[[0], [1]]], np.uint8), 4, axis=1).repeat(8, axis=2)
    truth = np.eye(2, dtype=np.float32)[masks]

    def logits(share: float) -> np.ndarray:
        return np.log(np.where(truth > 0, share, 1 - share)).astype(np.float32)

    spec = LossSpec(2, (), (32, 32), open_run=lambda path: lambda images: logits(TEACHER))
    function, targets = loss.build(spec), loss.targets(spec)
    more = [targets(masks)] if targets else []
    named = {"images": masks[..., None]} if loss.wants_images else {}
    figure, (axes,) = panels(1)
    axes.plot(SHARES, [float(function(masks, logits(share), *more, **named)) for share in SHARES], color=INK)
    finish(axes, "probability of the right class", "loss")
    axes.set_xlim(0, 1)
    alt = f"The value of {entry.name} over the probability of the right class"
    caption = f"The value of `{entry.name}` where each pixel of two equal halves gives this probability to its class."
    if entry.name in GIVEN:
        caption += f" The teacher gives it {TEACHER}."
    return saved(entry, figure, alt, caption)


def weighting_curve(entry: Entry, weighting: Any) -> Picture:
    """Draw the weights of two made-up losses over the epochs, and the losses."""
    done = np.linspace(0, 1, EPOCHS * STEPS, endpoint=False)
    losses = np.stack([0.3 + 1.3 * np.exp(-4 * done), 0.5 + 0.4 * np.exp(-1.5 * done)], axis=-1).astype(np.float32)
    losses = losses.reshape(EPOCHS, STEPS, 2)
    weights = weights_of(weighting.build(WeightingSpec((FAST, SLOW), (1.0, 1.0))), losses)
    figure, (left, right) = panels(2)
    for axes, values, name in ((left, losses.mean(1), "loss"), (right, weights, "weight")):
        for column, (label, style) in enumerate(((FAST, "solid"), (SLOW, DASHED))):
            axes.plot(np.arange(1, EPOCHS + 1), values[:, column], color=INK, linestyle=style, label=label)
        finish(axes, "epoch", name)
        axes.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=canvas.NOTE_SIZE)
    alt = f"Two losses over the epochs, and the weights that {entry.name} gives them"
    given = ", ".join(f"`{key}={','.join(map(str, value))}`" for key, value in GIVEN.get(entry.name, {}).items())
    return saved(
        entry, figure, alt, f"Two losses, and their weights by `{entry.name}`" + (f" with {given}" * bool(given)) + "."
    )


def weights_of(layer: Any, losses: np.ndarray) -> np.ndarray:
    """Return the weights of the losses at the start of each epoch, (E, n), for losses (E, S, n) of their steps.

    The norms of the gradients are taken as a quarter of the losses.
    """
    import keras

    batch = keras.Input(batch_shape=(1, losses.shape[-1]))
    model = keras.Model(batch, keras.ops.reshape(layer(batch[0]), (1, 1)))
    model.compile(keras.optimizers.Adam(1e-3), loss=lambda nothing, objective: objective)
    weights = []
    for epoch, steps in enumerate(losses):
        layer.on_epoch_begin(epoch, len(losses))
        weights.append(layer.factors())
        for values in steps:
            layer.step(keras.ops.convert_to_tensor(values), keras.ops.convert_to_tensor(values / 4))
            if layer.trainable_variables:
                model.train_on_batch(values[None], np.zeros((1, 1), np.float32))
        layer.on_epoch_end(steps.mean(axis=0))
    return np.stack(weights)


def schedule_curve(entry: Entry, schedule: Any) -> Picture:
    """Draw the learning rate over the epochs, with the schedule's defaults and with a warm-up of three epochs."""
    warm = type(schedule)(warmup=3) if "warmup" in parameters_of(type(schedule)) else None
    figure, (axes,) = panels(1)
    for each, label, style in ((schedule, "defaults", "solid"), (warm, "warmup=3", DASHED)):
        if each is not None:
            axes.plot(*rates_of(each), color=INK, linestyle=style, label=label)
    finish(axes, "epoch", "rate / learning rate")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=canvas.NOTE_SIZE)
    alt = f"The learning rate of {entry.name} over the epochs, without and with a warm-up"
    caption = f"The learning rate of `{entry.name}`."
    if entry.name == "plateau":
        caption += " The validation loss falls for five epochs, and stays the same after that."
    return saved(entry, figure, alt, caption)


def rates_of(schedule: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs and learning rates of a schedule; one that is a callback is told a loss that stops falling."""
    import keras

    built = schedule.build(ScheduleSpec(learning_rate=1.0, epochs=EPOCHS, steps_per_epoch=STEPS))
    if not isinstance(built, keras.callbacks.Callback):
        steps = np.arange(EPOCHS * STEPS)
        return steps / STEPS, keras.ops.convert_to_numpy(built(steps))
    optimizer = keras.optimizers.SGD(1.0)
    built.set_model(SimpleNamespace(optimizer=optimizer))
    built.on_train_begin()
    rates = []
    for epoch in range(EPOCHS):
        built.on_epoch_begin(epoch)
        rates += [float(optimizer.learning_rate)] * 2
        built.on_epoch_end(epoch, {"val_loss": max(0.5, 1 - 0.1 * epoch)})
    return np.repeat(np.arange(EPOCHS + 1), 2)[1:-1], np.array(rates)


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels side by side."""
    figure = Figure(figsize=(1.2 + 4 * count, 2.9), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def finish(axes: Axes, across: str, up: str) -> None:
    """Name the axes of a panel, and give it its grid."""
    axes.set_xlabel(across, fontsize=canvas.NOTE_SIZE)
    axes.set_ylabel(up, fontsize=canvas.NOTE_SIZE)
    axes.tick_params(labelsize=canvas.NOTE_SIZE)
    axes.grid(color=canvas.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def saved(entry: Entry, figure: Figure, alt: str, caption: str) -> Picture:
    """Return a figure as the picture of a component."""
    content = BytesIO()
    canvas.write(figure, content)
    return picture(name_of(entry), content, alt, caption, density=2)
