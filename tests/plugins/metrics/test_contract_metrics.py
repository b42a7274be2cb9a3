"""Run the contract of metrics on every metric."""

from __future__ import annotations

import pytest

from marsseg_core.components.specs import MetricSpec
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import METRIC
from marsseg_core.registry.loading import load
from marsseg_core.testing import MetricContract
from marsseg_plugins.metrics.agreement import Accuracy, Kappa
from marsseg_plugins.metrics.boundaries import BoundaryF, BoundaryIoU
from marsseg_plugins.metrics.other_means import AllPixelsMeanIoU, CourseMeanIoU, MeanIoUPerImage
from marsseg_plugins.metrics.overlap import Dice, FrequencyWeightedIoU, MeanIoU
from marsseg_plugins.metrics.shares import Precision, Recall


class TestMeanIoU(MetricContract):
    component = MeanIoU()


class TestMeanIoUWithoutIgnoredClasses(MetricContract):
    component = MeanIoU()
    spec = MetricSpec(num_classes=3)


class TestCourseMeanIoU(MetricContract):
    component = CourseMeanIoU()


class TestAllPixelsMeanIoU(MetricContract):
    component = AllPixelsMeanIoU()


class TestMeanIoUPerImage(MetricContract):
    component = MeanIoUPerImage()


class TestAccuracy(MetricContract):
    component = Accuracy()


class TestKappa(MetricContract):
    component = Kappa()


class TestDice(MetricContract):
    component = Dice()


class TestFrequencyWeightedIoU(MetricContract):
    component = FrequencyWeightedIoU()


class TestPrecision(MetricContract):
    component = Precision()


class TestRecall(MetricContract):
    component = Recall()


class TestBoundaryIoU(MetricContract):
    component = BoundaryIoU()


class TestWideBoundaryIoU(MetricContract):
    component = BoundaryIoU(dilation=0.1)


class TestBoundaryF(MetricContract):
    component = BoundaryF()


class TestExactBoundaryF(MetricContract):
    component = BoundaryF(tolerance=0.0)


def test_no_metric_is_left_out():
    tested = {type(test.component) for test in MetricContract.__subclasses__()}
    assert {load(entry) for entry in installed().of_kind(METRIC) if entry.distribution == "marsseg"} <= tested


@pytest.mark.parametrize("entry", installed().of_kind(METRIC), ids=lambda entry: entry.name)
def test_names_of_metrics_and_of_their_values_per_class_differ(entry):
    words = {load(other).per_class for other in installed().of_kind(METRIC)} - {"", load(entry).per_class}
    assert not [word for word in words if entry.name.startswith(f"{word}_") or word == entry.name]
