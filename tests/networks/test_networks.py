"""The cost and the drawing of a built network."""

import keras
import pytest
from helpers.components import standing_alone
from keras import layers
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.networks.cost import cost_of
from marsseg_core.networks.drawing import block_name, blocks_of, draw
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load


def macs(*stack, shape=(6, 8, 3)):
    inputs = keras.Input(shape)
    x = inputs
    for layer in stack:
        x = layer(x)
    return cost_of(keras.Model(inputs, x)).multiply_accumulates


class TestMultiplyAccumulates:
    """Compared with counts by hand."""

    def test_of_convolutions(self):
        assert macs(layers.Conv2D(5, 3, padding="same")) == 6 * 8 * 5 * 9 * 3
        assert macs(layers.Conv2D(5, 3, padding="same", strides=2)) == 3 * 4 * 5 * 9 * 3
        assert macs(layers.Conv2D(6, (1, 3), groups=3, padding="same")) == 6 * 8 * 6 * 3 * 1
        assert macs(layers.Conv2D(5, 3, padding="same", dilation_rate=2)) == 6 * 8 * 5 * 9 * 3
        assert macs(layers.Conv2DTranspose(4, 2, strides=2)) == 6 * 8 * 3 * 4 * 4
        assert macs(layers.DepthwiseConv2D(3, padding="same")) == 6 * 8 * 3 * 9
        assert macs(layers.SeparableConv2D(7, 3, padding="same")) == 6 * 8 * 3 * (9 + 7)

    def test_of_dense_layers(self):
        assert macs(layers.Dense(10)) == 6 * 8 * 3 * 10

    def test_of_attention(self):
        """TensorFlow's profiler does not count it."""
        inputs = keras.Input((10, 16))
        attention = layers.MultiHeadAttention(2, 4)
        network = keras.Model(inputs, attention(inputs, inputs))
        projections = 4 * 10 * 16 * 8
        assert cost_of(network).multiply_accumulates == projections + 2 * 10 * 10 * 8

    def test_a_layer_used_twice_counts_twice(self):
        once = layers.Conv2D(3, 3, padding="same")
        assert macs(once, once) == 2 * macs(layers.Conv2D(3, 3, padding="same"))

    def test_elementwise_layers_are_free(self):
        assert macs(layers.ReLU(), layers.BatchNormalization(), layers.MaxPooling2D(), layers.UpSampling2D()) == 0

    def test_an_unknown_layer_is_named_and_not_counted_as_0(self):
        class Strange(layers.Layer):
            def call(self, x):
                return x

        inputs = keras.Input((4, 4, 1))
        cost = cost_of(keras.Model(inputs, Strange(name="odd")(inputs)))
        assert cost.unknown == ("odd (Strange)",)

    def test_a_custom_layer_can_define_its_own_count(self):
        class Counted(layers.Layer):
            def call(self, x):
                return x

            def multiply_accumulates(self, shape):
                return 100 * shape[0]

        assert macs(Counted()) == 600


def test_cost_holds_parameters_memory_and_shape():
    inputs = keras.Input((6, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same")(inputs))
    cost = cost_of(keras.Model(inputs, x))
    assert cost.trainable == 9 * 3 * 5 + 5 + 2 * 5
    assert cost.parameters == cost.trainable + 2 * 5
    assert cost.activation_bytes == 2 * 6 * 8 * 5 * 4
    assert cost.output_shape == (6, 8, 5)


@pytest.mark.parametrize("arch", [entry.name for entry in standing_alone(kinds.ARCHITECTURE)])
def test_every_layer_of_the_built_in_networks_is_known(arch):
    needs_encoder = load(installed().find(kinds.ARCHITECTURE, arch)).needs_encoder
    network = marsseg.network(
        f"{arch}:width=0.06",
        encoder="efficientnet_lite0" if needs_encoder else None,
        bottleneck="transformer:heads=1:layers=1,swin,aspp,psp",
    )
    assert cost_of(network).unknown == ()


class TestDrawing:
    def test_groups_layers_into_blocks(self):
        network = marsseg.network("unet:width=0.1:depth=2", bottleneck="transformer:layers=2:heads=1")
        names = [block.name for block in blocks_of(network)]
        assert names == [
            "images",
            "encoder1",
            "encoder2",
            "bottom",
            "bottleneck1 transformer",
            "decoder2",
            "decoder1",
            "logits",
        ]

    def test_divides_a_chosen_encoder_at_the_maps_that_it_hands_on(self):
        network = marsseg.network("unet:width=0.1", encoder="efficientnet_lite0")
        blocks = {block.name: block for block in blocks_of(network)}
        assert [blocks[f"encoder{n}"].shape[0] for n in (1, 2, 3, 4, 5)] == [32, 16, 8, 4, 2]
        assert [source.name for source in blocks["decoder2"].sources] == ["decoder3", "encoder1"]

    def test_shows_skip_connections(self):
        blocks = {block.name: block for block in blocks_of(marsseg.network("unet:width=0.1:depth=2"))}
        assert [source.name for source in blocks["decoder1"].sources] == ["decoder2", "encoder1"]
        assert blocks["decoder1"].column > blocks["decoder2"].column > blocks["bottom"].column

    @pytest.mark.parametrize(
        ("layer", "block"),
        [("encoder1_conv1", "encoder1"), ("logits", "logits"), ("bottleneck2_aspp_point_conv", "bottleneck2 aspp")],
    )
    def test_names_blocks_by_the_beginning_of_their_layers(self, layer, block):
        assert block_name(layer) == block

    def test_is_a_png_of_sufficient_size(self, tmp_path):
        draw(marsseg.network("dense:width=0.1"), tmp_path / "dense.png", "dense")
        with Image.open(tmp_path / "dense.png") as picture:
            assert picture.width > picture.height > 300


def test_show_builds_and_draws(cli, tmp_path):
    answer = cli("show", "unet:width=0.1", "--build", "--size", "32x48x3", "--plot", str(tmp_path / "unet.png"))
    assert answer.code == 0
    assert "output shape\t32×48×5" in answer.out
    assert (tmp_path / "unet.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["aspp", "--build"], "only an architecture or a recipe"),
        (["unet", "--build", "--size", "64"], "not a valid size"),
        (["unet", "--build", "--classes", "1"], "2 to 255 classes"),
        (["unet", "--build", "--bottleneck", "asp"], "'aspp'"),
        (["unet", "--plot", "unet.jpg"], "PNG"),
    ],
)
def test_show_refuses_a_network_that_cannot_be_built(cli, words, message):
    answer = cli("show", *words)
    assert answer.code == 2
    assert message in answer.err
