"""Run the contract of bottlenecks on every bottleneck, at a small width."""

from __future__ import annotations

from marsseg_core.testing import BottleneckContract
from marsseg_plugins.bottlenecks.aspp import ASPP
from marsseg_plugins.bottlenecks.psp import PSP
from marsseg_plugins.bottlenecks.swin import Swin
from marsseg_plugins.bottlenecks.transformer import Transformer


class TestASPP(BottleneckContract):
    component = ASPP()


class TestASPPOfTheReport(BottleneckContract):
    component = ASPP(filters=8, rates=(6, 12), normalisation="none", out="classes", activation="softmax")


class TestPSP(BottleneckContract):
    component = PSP()


class TestSwin(BottleneckContract):
    component = Swin(heads=2)


class TestSmallWindows(BottleneckContract):
    component = Swin(window=3, heads=2, layers=3)


class TestTransformer(BottleneckContract):
    component = Transformer(heads=2, layers=2)


class TestTransformerOfTheReport(BottleneckContract):
    component = Transformer(
        filters=8, heads=2, key_size=8, mlp=16, dropout=0.3, shared=True, norm="post", positions="none"
    )
