"""The networks that `compare.py` measures: marsseg's four, and beside each its peers.

Peers are of the same kind, or, where a package has none of the kind, of like size. The numbers of filters are
marsseg's where a package allows it. All take images of one channel and give logits of five classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CLASSES = 5
FILTERS = (32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Peer:
    """A network to compare with. `package` is the module that must be importable; `side` measures it."""

    name: str
    group: str
    package: str
    side: str
    build: Callable[[int, int], Any]  # called with the height and width of the images


def marsseg(name: str) -> Peer:
    return Peer(f"**marsseg `{name}`**", name, "marsseg_core", "marsseg_side", lambda height, width: name)


def smp(group: str, architecture: str, encoder: str = "resnet18", **options: Any) -> Peer:
    def build(height: int, width: int) -> Any:
        import segmentation_models_pytorch

        network = getattr(segmentation_models_pytorch, architecture)
        return network(encoder, encoder_weights=None, in_channels=1, classes=CLASSES, **options)

    note = "".join(f", {value}" for value in options.values())
    return Peer(f"smp `{architecture}` ({encoder}{note})", group, "segmentation_models_pytorch", "torch_side", build)


def monai(group: str, architecture: str, **options: Any) -> Peer:
    def build(height: int, width: int) -> Any:
        from monai.networks import nets

        return getattr(nets, architecture)(spatial_dims=2, in_channels=1, out_channels=CLASSES, **options)

    return Peer(f"MONAI `{architecture}`", group, "monai", "torch_side", build)


def deeplab(height: int, width: int) -> Any:
    """Return DeepLabV3+ as in the presets, on a ResNet-18 instead of a ResNet-50."""
    from keras_hub import models

    encoder = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(height, width, 1),
    )
    backbone = models.DeepLabV3Backbone(
        image_encoder=encoder,
        spatial_pyramid_pooling_key="P5",
        low_level_feature_key="P2",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
        image_shape=(height, width, 1),
    )
    return models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=CLASSES)


def keras_hub(group: str, name: str, build: Callable[[int, int], Any]) -> Peer:
    return Peer(f"keras-hub {name}", group, "keras_hub", "keras_hub_side", build)


RELU_AND_BATCH_NORM = {"act": "relu", "norm": "batch"}
PEERS = [
    marsseg("unet"),
    smp("unet", "Unet"),
    monai("unet", "BasicUNet", features=(*FILTERS, FILTERS[0]), **RELU_AND_BATCH_NORM),
    monai("unet", "UNet", channels=FILTERS, strides=(2, 2, 2, 2), num_res_units=2, **RELU_AND_BATCH_NORM),
    marsseg("dense"),
    smp("dense", "DeepLabV3Plus"),
    keras_hub("dense", "DeepLabV3+ (resnet18)", deeplab),
    smp("dense", "Segformer", "mit_b0"),
    marsseg("unetpp"),
    smp("unetpp", "UnetPlusPlus"),
    monai("unetpp", "BasicUNetPlusPlus", features=(*FILTERS, FILTERS[0]), **RELU_AND_BATCH_NORM),
    marsseg("attention"),
    smp("attention", "Unet", decoder_attention_type="scse"),
    monai("attention", "AttentionUnet", channels=FILTERS, strides=(2, 2, 2, 2)),
]
