"""The fast form of a network computes what the network computes."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from keras import layers, ops

import marsseg
from marsseg_core.networks.depthwise import convolve_depthwise, has_fast_gradient
from marsseg_core.networks.enlarged import convolve_enlarged
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.keras_backend.functions import value_and_gradient
from marsseg_core.networks.keras_backend.settings import precision


@st.composite
def cases(draw):
    """Draw the size, factors and channels of maps, the filters and the size of the kernel."""
    factors = draw(st.lists(st.sampled_from([2, 3, 4, 8]), min_size=1, max_size=3))
    multiple = int(np.lcm.reduce(factors))
    height, width = (multiple * draw(st.integers(1, max(1, 24 // multiple))) for _ in range(2))
    channels = [draw(st.integers(1, 40)) for _ in factors]
    return (height, width), factors, channels, draw(st.integers(1, 6)), draw(st.sampled_from([1, 3]))


def plain(maps, factors, kernels):
    enlarged = [ops.repeat(ops.repeat(x, factor, 1), factor, 2) for x, factor in zip(maps, factors, strict=True)]
    return ops.conv(ops.concatenate(enlarged, -1), ops.concatenate(kernels, 2), padding="same")


def outputs_and_gradients(function, tensors, weights):
    """Return the output of a function of tensors, and the gradient of its weighted sum for each of them."""
    results = [ops.convert_to_numpy(function(tensors))]
    for position, tensor in enumerate(tensors):

        def value(at, position=position):
            return ops.sum(function([*tensors[:position], at, *tensors[position + 1 :]]) * weights)

        results.append(ops.convert_to_numpy(value_and_gradient(value, tensor)[1]))
    return results


def largest_error(results, expected):
    return max(np.abs(r - e).max() / max(np.abs(e).max(), 1e-6) for r, e in zip(results, expected, strict=True))


def largest_rounding_error(results, function, tensors, weights):
    """Return the largest difference to the results of a function, as a share of the sums of its terms' magnitudes.

    The sums themselves can cancel to nearly nothing, and what rounding leaves is then a large share of them.
    """
    expected = outputs_and_gradients(function, tensors, weights)
    magnitudes = outputs_and_gradients(function, [ops.absolute(each) for each in tensors], np.abs(weights))
    return max(np.abs(r - e).max() / m.max() for r, e, m in zip(results, expected, magnitudes, strict=True))


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(0, 2**31))
def test_convolutions_of_enlarged_maps_and_their_gradients_equal_the_plain_ones(case, seed):
    (height, width), factors, channels, filters, size = case
    draw = np.random.default_rng(seed).normal
    shapes = [(2, height // factor, width // factor, c) for factor, c in zip(factors, channels, strict=True)]
    shapes += [(size, size, c, filters) for c in channels]
    tensors = [ops.convert_to_tensor(draw(size=shape).astype("float32")) for shape in shapes]
    weights = draw(size=(2, height, width, filters)).astype("float32")
    count = len(factors)
    fast = outputs_and_gradients(lambda t: convolve_enlarged(t[:count], factors, t[count:]), tensors, weights)
    assert largest_rounding_error(fast, lambda t: plain(t[:count], factors, t[count:]), tensors, weights) < 1e-6


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    channels=st.integers(1, 20),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.integers(1, 3),
    padding=st.sampled_from(["same", "valid"]),
    seed=st.integers(0, 2**31),
)
def test_depthwise_convolutions_and_their_gradients_equal_the_plain_ones(
    size, channels, kernel, strides, padding, seed
):
    draw = np.random.default_rng(seed).normal
    tensors = [
        ops.convert_to_tensor(draw(size=s).astype("float32")) for s in ((2, *size, channels), (*kernel, channels, 1))
    ]

    def exact(t):
        return ops.depthwise_conv(*t, strides=strides, padding=padding)

    weights = draw(size=exact(tensors).shape).astype("float32")
    fast = outputs_and_gradients(lambda t: convolve_depthwise(*t, strides, padding), tensors, weights)
    assert largest_rounding_error(fast, exact, tensors, weights) < 1e-6


def test_only_kernels_on_small_maps_have_another_gradient():
    assert has_fast_gradient((2, 4), (3, 3), 1, "same")
    assert has_fast_gradient((4, 8), (5, 5), 2, "same")
    assert not has_fast_gradient((4, 8), (3, 3), 1, "same")
    assert not has_fast_gradient((8, 16), (5, 5), 1, "same")


def decoder(dtype="float32"):
    """Return a network with every form that is replaced, and some that are not."""
    with precision(dtype):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((12, 20, 2))
        x = layers.Conv2D(8, 3, padding="same", name="first")(inputs)
        full = layers.ReLU()(layers.BatchNormalization(name="first_norm")(x))
        half = layers.Conv2D(12, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(full))
        quarter = layers.BatchNormalization(scale=False)(layers.MaxPooling2D(2)(half))
        quarter = layers.Conv2D(16, 3, padding="same", use_bias=False)(quarter)
        up = layers.Concatenate()([layers.UpSampling2D(2)(quarter), half])
        joined = layers.Concatenate()([full, layers.UpSampling2D(2)(up), layers.UpSampling2D(4)(quarter), full])
        x = layers.BatchNormalization(name="norm", momentum=0.8)(
            layers.Conv2D(8, 3, padding="same", name="joined")(joined)
        )
        shortcut = layers.Conv2D(8, 1, name="shortcut", padding="same")(joined)
        only_enlarged = layers.Conv2D(8, 3, padding="same", name="enlarged")(layers.UpSampling2D(2)(half))
        bilinear = layers.Conv2D(8, 3, padding="same")(layers.UpSampling2D(2, interpolation="bilinear")(half))
        x = layers.Add()([layers.ReLU()(x), shortcut, only_enlarged, bilinear])
        network = keras.Model(inputs, layers.Conv2D(3, 1, dtype="float32")(x))
    rng = np.random.default_rng(0)
    for weight in network.weights:  # biases, statistics and scales that are not 0 and 1
        if len(weight.shape) == 1:
            weight.assign(weight + 0.3 * np.abs(rng.normal(size=weight.shape)))
    return network


def images(count=4, seed=1):
    return np.random.default_rng(seed).uniform(size=(count, 12, 20, 2)).astype("float32")


def step(network, weights, training=True):
    """Return the output of a network, and the gradients of its weighted sum for the variables of the network."""
    trainable = [ops.convert_to_tensor(ops.convert_to_numpy(v)) for v in network.trainable_variables]
    other = [ops.convert_to_tensor(ops.convert_to_numpy(v)) for v in network.non_trainable_variables]
    results = []
    for position, tensor in enumerate(trainable):

        def value(at, position=position):
            given = [*trainable[:position], at, *trainable[position + 1 :]]
            outputs, _ = network.stateless_call(given, other, images(), training=training)
            return ops.sum(outputs * weights)

        results.append(ops.convert_to_numpy(value_and_gradient(value, tensor)[1]))
    return results


def test_it_has_the_same_variables_and_leaves_the_network_as_it_is():
    network = decoder()
    config = network.get_config()
    fast = fast_network(network)
    assert fast is not network
    assert fast is fast_network(network)
    assert {id(v) for v in fast.variables} == {id(v) for v in network.variables}
    assert network.get_config() == config


def test_what_it_replaces():
    kinds = [type(layer).__name__ for layer in fast_network(decoder()).layers]
    assert "BatchNormalization" not in kinds
    assert kinds.count("UpSampling2D") == 1  # the bilinear one
    assert "Concatenate" not in kinds


@pytest.mark.parametrize("training", [False, True])
def test_outputs_and_moving_statistics_are_equal(training):
    network, twin = decoder(), decoder()
    expected = ops.convert_to_numpy(network(images(), training=training))
    result = ops.convert_to_numpy(fast_network(twin)(images(), training=training))
    assert largest_error([result], [expected]) < 1e-5
    for mine, its in zip(network.non_trainable_variables, twin.non_trainable_variables, strict=True):
        np.testing.assert_allclose(its, mine, rtol=1e-5, atol=1e-6)


def magnitudes_of_a_bias(network, name, weights):
    """Return the sums of the magnitudes of what adds up to the gradient of a layer's bias.

    Rounding errors of the gradient are a share of them, also where the terms cancel. The terms are the gradients of the
    values that the bias is added to.
    """
    layer = network.get_layer(name)
    convolve = layer.call

    def value(at):
        layer.call = lambda maps: convolve(maps) + at
        return ops.sum(network(images(), training=True) * weights)

    _, terms = value_and_gradient(value, ops.zeros((len(images()), *layer.output.shape[1:])))
    return np.abs(ops.convert_to_numpy(terms)).sum((0, 1, 2))


@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_equal(training):
    network = decoder()
    weights = np.random.default_rng(2).normal(size=(4, 12, 20, 3)).astype("float32")
    expected = {v.path: g for v, g in zip(network.trainable_variables, step(network, weights, training), strict=True)}
    fast = fast_network(network)
    result = {v.path: g for v, g in zip(fast.trainable_variables, step(fast, weights, training), strict=True)}
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    for path, gradient in expected.items():
        if training and path in ("first/bias", "joined/bias"):
            # A normalisation follows, which removes what a bias adds: the gradient is 0, up to rounding.
            limit = 5e-7 * magnitudes_of_a_bias(decoder(), path.split("/")[0], weights)
            assert (np.abs(gradient) <= limit).all(), path
            assert (np.abs(result[path]) <= limit).all(), path
        else:
            limit = 1e-5 * max(np.abs(gradient).max(), 0.1 * largest)
            assert np.abs(result[path] - gradient).max() <= limit, path


def test_bfloat16_is_as_exact_as_the_plain_form():
    network, exact = decoder("mixed_bfloat16"), decoder()
    errors = []
    for form in (network, fast_network(network)):
        difference = ops.convert_to_numpy(form(images(16))) - ops.convert_to_numpy(exact(images(16)))
        errors.append(np.sqrt(np.mean(np.square(difference))))
    assert errors[1] <= 1.5 * errors[0]


def test_a_frozen_normalisation_keeps_its_statistics():
    network = decoder()
    network.get_layer("norm").trainable = False
    before = ops.convert_to_numpy(network.get_layer("norm").moving_mean)
    fast_network(network)(images(), training=True)
    np.testing.assert_array_equal(network.get_layer("norm").moving_mean, before)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_depthwise_convolutions_of_small_maps_are_replaced(dtype):
    with precision(dtype):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4, 6, 5))
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="tanh", use_bias=False)(inputs)
        network = keras.Model(inputs, layers.DepthwiseConv2D(3, padding="same", bias_initializer="normal")(x))
    fast = fast_network(network)
    assert [type(layer).__name__ for layer in fast.layers][1:] == ["FastDepthwiseConvolution"] * 2
    x = np.random.default_rng(1).normal(size=(3, 4, 6, 5)).astype("float32")
    result, expected = (ops.convert_to_numpy(ops.cast(form(x, training=True), "float32")) for form in (fast, network))
    np.testing.assert_array_equal(result, expected)


def unusual(x, penalty):
    """Return the logits of a network with layers that are called by keyword, penalised, or of other shapes."""
    norm = layers.BatchNormalization(activity_regularizer=penalty)(layers.Conv2D(4, 3, padding="same")(inputs=x))
    norm = layers.BatchNormalization()(inputs=norm)
    small = layers.MaxPooling2D(2)(norm)
    up = layers.Conv2D(4, 3, padding="same")(layers.UpSampling2D(2, activity_regularizer=penalty)(small))
    up = layers.Concatenate(axis=1)([layers.UpSampling2D(2)(layers.MaxPooling2D(2)(up)), up])
    up = layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D((2, 1))(up))
    flat = layers.BatchNormalization()(layers.Dense(4)(layers.GlobalAveragePooling2D()(up)))
    gate = layers.BatchNormalization()(layers.Reshape((240, 4))(up))
    x = layers.Add()([up, layers.Reshape((12, 20, 4))(gate), layers.Reshape((1, 1, 4))(flat)])
    return layers.Conv2D(3, 1)(x)


def test_unusual_layers_do_what_they_did():
    inputs = keras.Input((12, 20, 2))
    keras.utils.set_random_seed(0)
    network = keras.Model(inputs, unusual(inputs, "l2"))
    expected, penalties = ops.convert_to_numpy(network(images(), training=True)), [float(p) for p in network.losses]
    result = ops.convert_to_numpy(fast_network(network)(images(), training=True))
    assert largest_error([result], [expected]) < 1e-5
    assert [float(penalty) for penalty in network.losses] == pytest.approx(penalties, rel=1e-5)
    assert all(penalties)


def test_networks_that_are_not_functional_stay_as_they_are():
    network = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 3)])
    assert fast_network(network) is network


@pytest.mark.parametrize(
    "words", ["dense:width=0.125", "unet3+:width=0.0625", "attention:width=0.0625", "unet++:width=0.0625"]
)
def test_architectures_give_the_same_logits(words):
    network = marsseg.network(words, height=33, width=46)
    drawn = np.random.default_rng(0).uniform(size=(2, 33, 46, 1)).astype("float32")
    expected = network(drawn)
    expected = {"logits": expected} if not isinstance(expected, dict) else expected
    result = fast_network(network)(drawn)
    result = {"logits": result} if not isinstance(result, dict) else result
    for name, output in expected.items():
        assert largest_error([ops.convert_to_numpy(result[name])], [ops.convert_to_numpy(output)]) < 1e-5
