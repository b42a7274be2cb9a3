"""`marsseg.loss`: one rule for what it is given, whatever the loss, in eager and in compiled code."""

from __future__ import annotations

import inspect
import json

import keras
import numpy as np
import pytest
from helpers.components import standing_alone
from helpers.loss_cases import CLASSES, FREQUENCIES, VOID, sample
from keras import ops

import marsseg_core as marsseg
from marsseg_core.components.specs import LossSpec
from marsseg_core.errors import RequestError
from marsseg_core.registry import kinds

# `boundary` is not to be had by name alone: it wants targets.
NAMES = [entry.name for entry in standing_alone(kinds.LOSS) if entry.name != "boundary"]
each_loss = pytest.mark.parametrize("name", NAMES)

WRONG_LABELS = {"-1": -1, "7": 7, "5": CLASSES, "254": 254, "256": 256, "1.5": 1.5, "nan": np.nan}


def with_label(label) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which one is wrong, in a type that holds it, and logits."""
    labels, logits = sample()
    labels = labels.astype(np.float32 if isinstance(label, float) else np.int32)
    labels[1, 2, 3] = label
    return labels, logits


# --- what it is built for


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ignore_classes": (9,)}, "There is no class 9 to ignore"),
        ({"ignore_classes": (-1,)}, "There is no class -1 to ignore"),
        ({"ignore_classes": (VOID,)}, r"There is no class 255 to ignore.*void pixels never count"),
        ({"ignore_classes": 0}, "ignore_classes must be a sequence of whole numbers, not 0"),
        ({"ignore_classes": (0.5,)}, r"There is no class 0\.5 to ignore"),
        ({"ignore_classes": range(CLASSES)}, "All classes are ignored"),
        ({"class_frequencies": (1, 2)}, "2 class frequencies do not fit 5 classes"),
        ({"class_frequencies": (1,) * 6}, "6 class frequencies do not fit 5 classes"),
        ({"class_frequencies": (1, -2, 1, 1, 1)}, "A class frequency is -2"),
        ({"class_frequencies": (0.2,) * 5}, r"A class frequency is 0\.2"),
        ({"class_frequencies": (float("nan"),) * 5}, "A class frequency is nan"),
        ({"num_classes": 0}, "num_classes must be a whole number from 1 to 255, not 0"),
        ({"num_classes": 256}, "num_classes must be a whole number from 1 to 255, not 256"),
        ({"num_classes": "5"}, "num_classes must be a whole number from 1 to 255, not '5'"),
    ],
)
@each_loss
def test_what_does_not_describe_classes_is_refused(name, given, message):
    with pytest.raises(RequestError, match=message):
        marsseg.loss(name, **given)


def test_rows_of_numpy_and_lists_are_taken():
    spec = LossSpec(np.int64(3), [np.int64(0)], np.array([1, 2, 3]))
    assert (spec.ignore_classes, spec.class_frequencies) == ((0,), (1, 2, 3))
    assert hash(spec) == hash(LossSpec(3, (0,), (1, 2, 3)))


# --- its weight


def test_the_weight_multiplies():
    labels, logits = sample()
    whole, half = (float(marsseg.loss(name)(labels, logits)) for name in ("dice", "dice:weight=0.5:smooth=0"))
    assert half == pytest.approx(whole / 2, rel=1e-6)


def test_several_losses_and_none_are_refused_with_what_to_do():
    for name in ("wssce,dice:weight=0.5", "none"):
        with pytest.raises(RequestError, match=r"must name one loss.*Build several losses one by one"):
            marsseg.loss(name)


def test_a_weight_of_0_or_below_is_refused():
    with pytest.raises(RequestError, match="has the weight 0"):
        marsseg.loss("dice:weight=0")
    with pytest.raises(RequestError, match="at least 0"):
        marsseg.loss("dice:weight=-1")


def test_parameters_that_do_not_fit_the_classes_are_a_wrong_request():
    with pytest.raises(RequestError, match=r"weights=3 is not valid: .* list of 2 or more numbers"):
        marsseg.loss("wssce:weights=3")


# --- what it is called with


@each_loss
@pytest.mark.parametrize("label", WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_a_label_that_is_no_class_is_named(name, label):
    function = marsseg.loss(name, class_frequencies=FREQUENCIES)
    labels, logits = with_label(label)
    for given in (labels, ops.convert_to_tensor(labels)):
        with pytest.raises(RequestError, match=rf"A label is {label}(\.0)?; the classes are 0 to 4"):
            function(given, logits)


def compiled(function):
    """As the backend compiles a step: the values of its arguments are not known inside."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    return tensorflow.function(function)


def compiled_values(name):
    """The compiled loss of sound labels, and of labels of which one is wrong."""
    function = compiled(marsseg.loss(name, class_frequencies=list(FREQUENCIES)))
    cases = [sample(), *map(with_label, WRONG_LABELS.values())]
    return [float(function(ops.convert_to_tensor(y), ops.convert_to_tensor(z))) for y, z in cases]


@each_loss
def test_in_a_compiled_step_such_a_label_makes_the_loss_nan(name):
    sound, *others = compiled_values(name)
    assert sound == pytest.approx(float(marsseg.loss(name, class_frequencies=FREQUENCIES)(*sample())), rel=1e-5)
    assert np.isnan(others).all()


@pytest.mark.slow
def test_it_is_the_same_on_jax(python):
    """The same matrix of losses and labels, in one process."""
    needed = "\n".join(inspect.getsource(each) for each in (sample, with_label, compiled, compiled_values))
    code = f"""
import json, math
import keras, numpy as np
from keras import ops
import marsseg_core as marsseg
from marsseg_core.plugin_api import RequestError
CLASSES, VOID, FREQUENCIES = {CLASSES}, {VOID}, {FREQUENCIES}
WRONG_LABELS = {{"a": -1, "b": 7, "c": 5, "d": 254, "e": 256, "f": 1.5, "g": np.nan}}
{needed}
found = {{}}
for name in {NAMES}:
    refused = 0
    for label in WRONG_LABELS.values():
        try:
            marsseg.loss(name)(*with_label(label))
        except RequestError:
            refused += 1
    found[name] = [refused, *map(str, compiled_values(name))]
print(json.dumps(found))
"""
    answer = python(code, KERAS_BACKEND="jax")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    for name in NAMES:
        refused, sound, *others = found[name]
        assert refused == len(WRONG_LABELS)
        here = float(marsseg.loss(name, class_frequencies=FREQUENCIES)(*sample()))
        assert float(sound) == pytest.approx(here, rel=1e-4)
        assert others == ["nan"] * len(WRONG_LABELS)


@each_loss
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
def test_whole_numbers_of_any_type_are_labels(name, dtype):
    labels, logits = sample()
    function = marsseg.loss(name)
    assert float(function(labels.astype(dtype), logits)) == pytest.approx(float(function(labels, logits)), rel=1e-6)


@each_loss
@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        (np.zeros((2, 4, 6), bool), np.zeros((2, 4, 6, 5)), r"Labels must be class ids \(numbers\), not bool"),
        (np.zeros((2, 4, 6, 1)), np.zeros((2, 4, 6, 5)), r"Labels must have the shape \(B, H, W\), not \(2, 4, 6, 1\)"),
        (np.zeros((2, 4, 6, 5)), np.zeros((2, 4, 6, 5)), "Convert one-hot labels"),
        (
            np.zeros((4, 6)),
            np.zeros((4, 6, 5)),
            r"Logits for 5 classes must have the shape \(B, H, W, 5\), not \(4, 6, 5\)",
        ),
        (np.zeros((2, 4, 6)), np.zeros((2, 4, 6, 3)), r"Logits for .* not \(2, 4, 6, 3\)"),
        (np.zeros((2, 6, 4)), np.zeros((2, 4, 6, 5)), r"Labels of shape \(2, 6, 4\) do not match logits"),
        (np.zeros((1, 4, 6)), np.zeros((2, 4, 6, 5)), r"Labels of shape \(1, 4, 6\) do not match logits"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, labels, logits, message):
    function = marsseg.loss(name)
    with pytest.raises(RequestError, match=message):
        function(labels, logits.astype("float32"))


def test_a_keras_training_shows_a_wrong_label_as_nan_and_learns_nothing_from_it():
    labels, logits = with_label(7)
    model = keras.Sequential([keras.layers.Input(logits.shape[1:]), keras.layers.Conv2D(CLASSES, 1)])
    model.compile(keras.optimizers.SGD(1.0), loss=marsseg.loss("wssce"))
    before = [np.array(weight) for weight in model.weights]
    assert np.isnan(model.train_on_batch(logits, labels))
    for weight, was in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.array(weight), was)
