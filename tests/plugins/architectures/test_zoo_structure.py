"""Check the structure of the networks: the inputs of their layers, and networks that must be equal."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_core.components.specs import BottleneckSpec
from marsseg_core.testing.architectures import GradientRecorder, make_batch, train
from marsseg_plugins.architectures.attention import AttentionUNet
from marsseg_plugins.architectures.blocks import upsample
from marsseg_plugins.architectures.dense import DenseUNet
from marsseg_plugins.architectures.dual import DualUNet
from marsseg_plugins.architectures.parallel import ParallelUNet
from marsseg_plugins.architectures.resunet import ResUNet
from marsseg_plugins.architectures.resunetpp import ResUNetPlusPlus
from marsseg_plugins.architectures.seunet import SEUNet
from marsseg_plugins.architectures.transunet import TransUNet
from marsseg_plugins.architectures.unet import UNet
from marsseg_plugins.architectures.unet3plus import UNet3Plus
from marsseg_plugins.architectures.unetpp import UNetPlusPlus
from marsseg_plugins.bottlenecks.aspp import ASPP
from marsseg_plugins.bottlenecks.psp import PSP
from marsseg_plugins.bottlenecks.swin import Swin
from marsseg_plugins.bottlenecks.transformer import Transformer
from marsseg_plugins.bottlenecks.windows import FORBIDDEN, WindowAttention, relative_places, seam_mask

SPEC = NetworkSpec(64, 128, 1, 5)


def sources(network: keras.Model, name: str) -> list[str]:
    """Return the names of the layers whose outputs are the inputs of the layer."""
    inputs = network.get_layer(name).input
    return [tensor._keras_history.operation.name for tensor in (inputs if isinstance(inputs, list) else [inputs])]


def widths(network: keras.Model, name: str) -> list[int]:
    """Return the number of channels of each input of the layer."""
    return [tensor.shape[-1] for tensor in network.get_layer(name).input]


def consumers(network: keras.Model, name: str) -> list[str]:
    return [layer.name for layer in network.layers if layer.name != "images" and name in sources(network, layer.name)]


def copy_by_name(source: keras.Model, target: keras.Model) -> None:
    for layer in target.layers:
        layer.set_weights(source.get_layer(layer.name).get_weights())


def predict(network: keras.Model, images: np.ndarray, output: str = "logits") -> np.ndarray:
    predicted = network(images, training=False)
    return keras.ops.convert_to_numpy(predicted[output] if isinstance(predicted, dict) else predicted)


@pytest.fixture
def images() -> np.ndarray:
    keras.utils.set_random_seed(3)
    return np.random.default_rng(0).random((2, 64, 128, 1), dtype=np.float32)


# --- UNet 3+


def test_unet3plus_combines_five_scales_of_equal_width():
    network = UNet3Plus().build(SPEC)
    for level in (1, 2, 3, 4):
        assert widths(network, f"merge{level}") == [64] * 5
        assert network.get_layer(f"decoder{level}_conv1").filters == 320
    assert len(consumers(network, "encoder1_relu2")) >= 5


def test_unet3plus_pools_finer_encoder_levels_and_upsamples_coarser_decoder_levels():
    network = UNet3Plus(width=0.0625).build(SPEC)
    assert sources(network, "decoder3_from1_pool") == ["encoder1_relu2"]
    assert network.get_layer("decoder3_from1_pool").pool_size == (4, 4)
    assert sources(network, "decoder3_from3_conv1") == ["encoder3_relu2"]
    assert sources(network, "decoder2_from4_up") == ["decoder4_relu1"]
    assert sources(network, "decoder1_from5_up") == ["encoder5_relu2"]
    assert network.get_layer("decoder1_from5_up").size == (16, 16)


@pytest.mark.parametrize("component", [UNet3Plus(width=0.0625), UNetPlusPlus(width=0.125)], ids=["unet3plus", "unetpp"])
def test_deep_supervision_changes_nothing_but_its_heads(component, images):
    from dataclasses import replace

    supervised = replace(component, deep_supervision=True).build(SPEC)
    plain = component.build(SPEC)
    copy_by_name(supervised, plain)
    np.testing.assert_array_equal(predict(plain, images), predict(supervised, images))
    heads = [name for name in supervised(images) if name != "logits"]
    assert heads == [f"aux_{number}" for number in range(2, 2 + len(heads))]


@pytest.mark.parametrize("presence", ["classes", "pair"])
def test_the_guided_module_gates_all_logits_and_learns(presence):
    component = UNet3Plus(width=0.0625, depth=3, deep_supervision=True, guided=True, presence=presence)
    network = component.build(NetworkSpec(64, 128, 1, 3))
    batch = make_batch((64, 128), 1, 3)
    assert set(network(batch[0])) == {"logits", "aux_2", "aux_3"} | ({"presence"} if presence == "classes" else set())
    recorder = GradientRecorder(1e-3)
    train(network, recorder, *batch, 1, eager=True)
    assert recorder.norms["presence_conv/kernel"] > 0


def test_a_class_that_is_not_present_loses_its_probability(images):
    network = UNet3Plus(width=0.0625, depth=3, guided=True).build(SPEC)
    head = network.get_layer("presence_conv")
    head.set_weights([np.zeros_like(head.get_weights()[0]), np.array([50, 50, -50, 50, 50], "float32")])
    assert not (predict(network, images).argmax(-1) == 2).any()
    assert (predict(network, images, "presence") > 0).tolist() == [[True, True, False, True, True]] * 2


# --- U-Net++


def test_unetpp_has_ten_dense_concatenations():
    network = UNetPlusPlus().build(SPEC)
    merges = [layer.name for layer in network.layers if isinstance(layer, layers.Concatenate)]
    assert len(merges) == 10
    assert sum(layer.name.endswith("_relu2") for layer in network.layers) == 15
    for name in merges:
        row, column = (int(part) for part in name.removeprefix("merge").split("."))
        nodes = [f"x{row}.{before}_relu2" for before in range(column)]
        assert sources(network, name) == [*nodes, f"x{row}.{column}_up"]
        assert widths(network, name) == [32 * 2**row] * (column + 1)
        assert sources(network, f"x{row}.{column}_up") == [f"x{row + 1}.{column - 1}_relu2"]


def test_unetpp_pruned_is_the_head_of_its_column(images):
    full = UNetPlusPlus(width=0.125, deep_supervision=True).build(SPEC)
    pruned = UNetPlusPlus(width=0.125, depth=2).build(SPEC)
    for layer in pruned.layers:
        name = "aux_4" if layer.name == "logits" else layer.name
        layer.set_weights(full.get_layer(name).get_weights())
    np.testing.assert_allclose(predict(pruned, images), predict(full, images, "aux_4"), atol=1e-6)


def test_unetpp_averages_its_heads(images):
    network = UNetPlusPlus(width=0.125, deep_supervision=True, average=True).build(SPEC)
    heads = [network.get_layer(name).output for name in ("logits", "aux_2", "aux_3", "aux_4")]
    each = keras.Model(network.input, heads)(images, training=False)
    np.testing.assert_allclose(predict(network, images), np.mean([head.numpy() for head in each], axis=0), atol=1e-6)


# --- gates and sums


def test_attention_gates_are_on_all_skips_except_the_finest():
    network = AttentionUNet().build(SPEC)
    gates = [layer.name for layer in network.layers if layer.name.endswith("_psi")]
    assert gates == ["gate4_psi", "gate3_psi", "gate2_psi"]
    assert sources(network, "merge1") == ["up1", "encoder1_relu2"]
    for level, signal in ((4, "signal_relu"), (3, "decoder4_relu2"), (2, "decoder3_relu2")):
        assert sources(network, f"merge{level}") == [f"up{level}", f"gate{level}_norm"]
        assert sources(network, f"gate{level}_phi") == [signal]
        theta, psi = network.get_layer(f"gate{level}_theta"), network.get_layer(f"gate{level}_psi")
        assert (theta.kernel_size, theta.strides, theta.use_bias) == ((2, 2), (2, 2), False)
        assert (psi.filters, psi.activation.__name__) == (1, "sigmoid")


def test_resunetpp_sums_its_aspp_and_has_no_sigmoid_in_its_attention():
    network = ResUNetPlusPlus().build(SPEC)
    for name, filters in (("bridge", 256), ("out", 16)):
        assert isinstance(network.get_layer(f"{name}_sum"), layers.Add)
        assert widths(network, f"{name}_sum") == [filters] * 4
        rates = [network.get_layer(f"{name}_atrous{i}").dilation_rate[0] for i in (1, 2, 3, 4)]
        assert rates == [1, 6, 12, 18]
    for level, below in ((3, "bridge_conv"), (2, "decoder3_scale"), (1, "decoder2_scale")):
        assert sources(network, f"attention{level}_multiply") == [f"attention{level}_sum_conv", below]
        assert network.get_layer(f"attention{level}_sum_conv").activation.__name__ == "linear"
        assert sources(network, f"up{level}") == [f"attention{level}_multiply"]
    assert sum(layer.name.endswith("_scale") for layer in network.layers) == 7


def test_parallel_joins_two_unets_and_dual_has_cross_skips():
    parallel = ParallelUNet().build(SPEC)
    assert sources(parallel, "fine.encoder1_conv1") == sources(parallel, "context.encoder1_conv1") == ["images"]
    assert sources(parallel, "merge") == ["fine.decoder1_relu2", "context.decoder1_relu2"]
    dual = DualUNet(width=0.125, feed=("output", "product", "image")).build(NetworkSpec(64, 128, 3, 5))
    assert widths(dual, "feed") == [5, 15, 3]
    assert sources(dual, "second.merge2") == ["second.up2", "second.encoder2_relu2", "first.encoder2_relu2"]
    assert sources(dual, "merge") == ["first.decoder1_relu2", "second.decoder1_relu2"]
    apart = DualUNet(width=0.125, feed=("output",), cross_skips=False).build(SPEC)
    assert sources(apart, "second.encoder1_conv1") == ["first.output"]
    assert sources(apart, "second.merge2") == ["second.up2", "second.encoder2_relu2"]


def test_the_halves_of_dual_may_differ_in_depth_and_bottleneck():
    component = DualUNet(first_filters=(4,), second_filters=(4, 6, 8), first_bottleneck="none")
    network = component.build(NetworkSpec(65, 127, 1, 3, (ASPP(),)))
    names = [layer.name for layer in network.layers if layer.name.endswith("aspp_merge")]
    assert names == ["second.bottleneck1_aspp_merge"]
    assert len(sources(network, "second.merge1")) == 3
    assert len(sources(network, "second.merge2")) == 2
    with pytest.raises(ValueError, match="feed"):
        DualUNet(feed=("output", "output"))


# --- Dense U-Net


def test_dense_uses_pooled_maps_of_finer_levels_and_upsampled_maps_of_coarser_ones():
    network = DenseUNet().build(SPEC)
    assert sources(network, "merge4") == ["up4", "encoder4_relu2", "pool3", "decoder4_from2", "decoder4_from1"]
    assert sources(network, "merge1") == ["up1", "encoder1_relu2", "decoder1_from2", "decoder1_from3", "decoder1_from4"]
    assert sources(network, "decoder4_from1") == ["pool1"]
    assert sources(network, "decoder1_from4") == ["encoder4_relu2"]


def test_dense_with_its_own_level_only_is_a_unet(images):
    dense, unet = DenseUNet(width=0.125, levels="own").build(SPEC), UNet(width=0.125, bottom=False).build(SPEC)
    unet.set_weights(dense.get_weights())
    np.testing.assert_array_equal(predict(dense, images), predict(unet, images))


def test_dense_combines_its_levels_in_every_way(images):
    concat = DenseUNet(width=0.125).build(SPEC)
    weighted = DenseUNet(width=0.125, combine="weighted").build(SPEC)
    for layer in concat.layers:
        weighted.get_layer(layer.name).set_weights(layer.get_weights())
    np.testing.assert_allclose(predict(weighted, images), predict(concat, images), atol=1e-6)
    fixed = DenseUNet(width=0.125, combine="weighted", weights=(1, 0.5)).build(SPEC)
    factors = [fixed.get_layer(f"merge2_weight{i}").scale for i in (1, 2, 3, 4, 5)]
    assert factors == [1, 1, 0.5, 0.5, 0.5]
    for combine, layer in (("add", layers.Add), ("multiply", layers.Multiply)):
        network = DenseUNet(width=0.125, combine=combine).build(SPEC)
        assert isinstance(network.get_layer("merge2"), layer)
        assert widths(network, "merge2") == [8] * 5


# --- resampling, mirrors, windows


def test_nearest_upsampling_twice_by_two_is_once_by_four(images):
    twice = upsample(upsample(images, 2, "once"), 2, "again")
    np.testing.assert_array_equal(twice, upsample(images, 4, "four"))


@pytest.mark.parametrize(
    ("component", "bottlenecks"),
    [
        (UNet(width=0.125, upsampling="transposed"), (PSP(),)),
        (UNet(width=0.125), (Transformer(positions="none"), ASPP())),
        (DenseUNet(width=0.125), ()),
        (DenseUNet(width=0.125, combine="multiply"), ()),
        (DualUNet(width=0.125, second_filters=(8, 16, 32, 64)), ()),
        (ParallelUNet(width=0.125), ()),
        (UNet3Plus(width=0.0625), ()),
        (UNetPlusPlus(width=0.125), ()),
        (AttentionUNet(width=0.125), ()),
        (SEUNet(width=0.25), ()),
    ],
    ids=lambda value: (
        type(value).__name__ if not isinstance(value, tuple) else "-".join(type(v).__name__ for v in value)
    ),
)
def test_mirrored_kernels_mirror_the_output(component, bottlenecks, images):
    network = component.build(NetworkSpec(64, 128, 1, 3, bottlenecks))
    expected = predict(network, images[:, :, ::-1])[:, :, ::-1]
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel[:, ::-1], *bias])
    np.testing.assert_allclose(predict(network, images), expected, atol=1e-4)


def test_windows_attend_inside_themselves_and_not_across_the_seam():
    """On 4×8 with windows of 4, shifted by 2 columns: the second window has columns 6, 7 and the rolled 0, 1."""
    mask = seam_mask((4, 8), (4, 4), (0, 2))
    assert mask.shape == (2, 16, 16)
    assert (mask[0] == 0).all()
    first_half = np.arange(16) % 4 < 2
    assert ((mask[1] == 0) == (first_half[:, None] == first_half)).all()


def test_nothing_attends_to_padding():
    mask = seam_mask((3, 5), (2, 4), (0, 0))
    assert mask.shape == (4, 8, 8)
    real = [8, 2, 4, 1]
    for window, expected in enumerate(real):
        assert ((mask[window] == 0).sum(axis=1) == expected).all()
    assert set(np.unique(mask)) == {0, np.float32(FORBIDDEN)}


def test_relative_places_tell_each_distance_apart():
    places = relative_places((2, 3))
    assert places.shape == (6, 6)
    assert len(np.unique(places)) == 15
    assert len(set(np.diag(places))) == 1


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("size", [(4, 8), (5, 7), (2, 2)])
def test_cells_outside_of_a_window_have_no_effect_in_it(shifted, size):
    layer = WindowAttention(heads=2, key_size=3, window=4, shifted=shifted)
    x = np.random.default_rng(0).random((1, *size, 6), dtype=np.float32)
    before = layer(x).numpy()
    x[:, 0, 0] += 1
    changed = np.abs(layer(x).numpy() - before).max(axis=(0, -1)) > 1e-6
    shift = [2 if shifted and side > 4 else 0 for side in size]
    # The window of the corner, up to the first border of windows.
    assert changed[: shift[0] or 4, : shift[1] or 4].all()
    assert changed.sum() == min(size[0], shift[0] or 4) * min(size[1], shift[1] or 4)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("bottleneck", [Swin(), PSP(), Swin(window=3, layers=3)], ids=["swin", "psp", "swin3"])
@pytest.mark.parametrize("size", [(4, 8), (8, 4), (5, 9), (2, 1)])
def test_bottlenecks_keep_the_size(bottleneck, size, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        features = keras.Input((*size, 16))
        out = bottleneck.build(features, BottleneckSpec(5))
        values = keras.Model(features, out)(np.ones((2, *size, 16), "float32")).numpy()
    finally:
        keras.config.set_dtype_policy(before)
    assert out.shape == (None, *size, 16)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    "bottlenecks", [(Swin(), PSP()), (Transformer(heads=2), ASPP())], ids=["swin-psp", "trans-aspp"]
)
@pytest.mark.parametrize(
    "component",
    [
        ResUNet(width=0.0625),
        ResUNetPlusPlus(width=0.25),
        TransUNet(width=0.25),
        UNetPlusPlus(width=0.125),
        UNet3Plus(width=0.0625),
        AttentionUNet(width=0.125),
        SEUNet(width=0.25),
        DualUNet(width=0.125),
        ParallelUNet(width=0.125),
        DenseUNet(width=0.125),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_architecture_takes_a_chain_of_bottlenecks(component, bottlenecks):
    network = component.build(NetworkSpec(65, 127, 3, 4, bottlenecks))
    assert network.output_shape == (None, 65, 127, 4)
    assert any("bottleneck2_" in layer.name for layer in network.layers)


@pytest.mark.parametrize(
    ("component", "bottlenecks"),
    [
        (UNet3Plus(width=0.0625, depth=3, guided=True, presence="pair"), (Swin(),)),
        (UNetPlusPlus(width=0.125, depth=3, average=True), (PSP(),)),
        (DenseUNet(width=0.125, depth=2, combine="weighted"), (Transformer(heads=2, positions="sinusoidal"),)),
        (TransUNet(width=0.25, encoder="patches"), ()),
        (AttentionUNet(width=0.125, combine=True, head="levels"), (PSP(),)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_variants_can_be_saved_and_loaded(component, bottlenecks, images, tmp_path):
    network = component.build(NetworkSpec(64, 128, 1, 3, bottlenecks))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    np.testing.assert_allclose(predict(loaded, images), predict(network, images), atol=1e-5)


@pytest.mark.parametrize("changes", [{"units": (1, 1)}, {"decoder": (8, 8)}])
def test_transunet_refuses_lists_of_different_lengths(changes):
    with pytest.raises(ValueError, match="stage"):
        TransUNet(**changes)


def test_transunet_repeats_one_channel_and_has_three_skips():
    network = TransUNet(width=0.25).build(SPEC)
    assert widths(network, "repeat") == [1, 1, 1]
    merges = [layer.name for layer in network.layers if layer.name.endswith("_merge")]
    assert merges == ["decoder1_merge", "decoder2_merge", "decoder3_merge"]
    skips = [sources(network, name)[1] for name in merges]
    assert skips == ["stage2_unit1_relu", "stage1_fill", "stem_relu"]
