"""Run the contract of architectures on every architecture, at a small width."""

from __future__ import annotations

import pytest

from marsseg_core.testing.architectures import ArchitectureContract, SmallEncoder
from marsseg_plugins.architectures.attention import AttentionUNet
from marsseg_plugins.architectures.deeplabv3plus import DeepLabV3Plus
from marsseg_plugins.architectures.dense import DenseUNet
from marsseg_plugins.architectures.dual import DualUNet
from marsseg_plugins.architectures.fpn import FPN
from marsseg_plugins.architectures.parallel import ParallelUNet
from marsseg_plugins.architectures.resunet import ResUNet
from marsseg_plugins.architectures.resunetpp import ResUNetPlusPlus
from marsseg_plugins.architectures.segformer import SegFormer
from marsseg_plugins.architectures.seunet import SEUNet
from marsseg_plugins.architectures.transunet import TransUNet
from marsseg_plugins.architectures.unet import UNet
from marsseg_plugins.architectures.unet3plus import UNet3Plus
from marsseg_plugins.architectures.unetpp import UNetPlusPlus


class TestUNet(ArchitectureContract):
    component = UNet(width=0.125, depth=2, convolutions=1)


class TestDense(ArchitectureContract):
    component = DenseUNet(width=0.125, depth=2, convolutions=1)


class TestDual(ArchitectureContract):
    component = DualUNet(first_filters=(4,), second_filters=(4, 6), convolutions=1)


class TestParallel(ArchitectureContract):
    component = ParallelUNet(fine_filters=(4,), context_filters=(4, 8), convolutions=1)


class TestUNet3Plus(ArchitectureContract):
    component = UNet3Plus(width=0.0625, depth=3, convolutions=1, deep_supervision=True, guided=True)


class TestResUNetPlusPlus(ArchitectureContract):
    component = ResUNetPlusPlus(width=0.25, depth=3, ratio=2)


class TestResUNet(ArchitectureContract):
    component = ResUNet(width=0.0625, depth=2)
    # The batch norms of the next unit cancel the shift of a shortcut's batch norm.
    cancelled = (*ArchitectureContract.cancelled, r"shortcut_norm/beta$")


class TestUNetPlusPlus(ArchitectureContract):
    component = UNetPlusPlus(width=0.125, depth=3, convolutions=1, deep_supervision=True)


class TestAttention(ArchitectureContract):
    component = AttentionUNet(width=0.125, depth=2, convolutions=1)


class TestTransUNet(ArchitectureContract):
    component = TransUNet(width=0.25, units=(1, 1), filters=(16, 32), decoder=(32, 16, 16), layers=1)


class TestSEUNet(ArchitectureContract):
    component = SEUNet(width=0.25, depth=1, ratio=2)


class BriefContract(ArchitectureContract):
    """Check one size that must be padded, on a small encoder, without a compiled training.

    The parts are those of other architectures and of encoders, whose contracts check all sizes and compiled networks.
    """

    encoder = SmallEncoder()

    test_it_trains_compiled_and_loads_in_a_fresh_process = None

    @pytest.mark.parametrize(("size", "channels"), [((33, 47), 1)])
    def test_it_predicts_learns_and_is_saved(self, size, channels, tmp_path):
        super().test_it_predicts_learns_and_is_saved(size, channels, tmp_path)


class TestDeepLabV3Plus(BriefContract):
    component = DeepLabV3Plus(width=0.0625, convolutions=1)


class TestFPN(BriefContract):
    component = FPN(width=0.0625)


class TestSegFormer(BriefContract):
    component = SegFormer(width=0.125)
