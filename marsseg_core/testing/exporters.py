"""The contract of an exporter: what it writes computes the same in its own runtime, and holds its metadata."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ..components.exports import INPUT_NAME, OUTPUTS, ExportSpec
from ..components.interfaces import Exporter
from .components import ComponentContract

_METADATA = {"classes": [{"name": "soil", "colour": "#d55e00"}, {"name": "Fels: ä", "colour": "#56b4e9"}], "schema": 1}


class ExporterContract(ComponentContract):
    """Check an exporter: its files have the same outputs as the network, for any number of images.

    In another precision than float32, outputs may differ by a tenth of the largest one.

    Attributes:
        component: The exporter. A subclass must set it.

    Example:
        ```python
        class TestMyFormat(ExporterContract):
            component = MyFormat()
        ```
    """

    component: ClassVar[Exporter]

    @pytest.fixture(autouse=True)
    def skip_without_its_modules(self) -> None:
        if missing := [name for name in self.component.modules if find_spec(name) is None]:
            pytest.skip(f"{missing[0]} is not installed: pip install {self.component.install}")

    @cached_property
    def images(self) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (3, 16, 32, 1)).astype(np.uint8)

    def spec(self, output: str = "logits") -> ExportSpec:
        """Return a small network from uint8 images to an output."""
        import keras
        from keras import layers, ops

        from ..networks.labels import labels_of

        keras.utils.set_random_seed(1)
        images = keras.Input((16, 32, 1), dtype="uint8", name=INPUT_NAME)
        x = ops.cast(images, "float32") / 255
        x = layers.Conv2D(8, 3, padding="same", activation="gelu")(x)
        x = layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPooling2D(2)(x))
        logits = layers.Conv2D(2, 1, bias_initializer="random_normal", dtype="float32")(x)
        outputs = {
            "logits": lambda: logits,
            "probabilities": lambda: ops.softmax(logits),
            "labels": lambda: labels_of(logits),
        }
        return ExportSpec(keras.Model(images, outputs[output]()), output, _METADATA)

    def written(self, spec: ExportSpec, folder: Path) -> Path:
        path = folder / f"network{self.component.suffix}"
        if not self.component.suffix:
            path.mkdir()
        self.component.write(spec, path)
        return path

    @pytest.mark.parametrize("output", OUTPUTS)
    def test_its_runtime_computes_the_same(self, output: str, tmp_path: Path) -> None:
        spec = self.spec(output)
        expected: Any = np.asarray(spec.network(self.images))
        run = self.component.open(self.written(spec, tmp_path))
        found = run(self.images)
        assert found.shape == expected.shape, "the output has another shape"
        if output == "labels":
            assert found.dtype == np.uint8, f"labels are uint8, not {found.dtype}"
            assert (found == expected).mean() >= 0.9999, "the labels differ"
        else:
            np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
        for batch in (self.images[:1], np.tile(self.images, (2, 1, 1, 1))):
            assert len(run(batch)) == len(batch), "the number of images is not free"

    def test_each_precision_computes_nearly_the_same(self, tmp_path: Path) -> None:
        assert "float32" in self.component.precisions
        expected: Any = np.asarray(self.spec().network(self.images))
        for precision in self.component.precisions:
            if precision == "float32":
                continue
            spec = replace(self.spec(), precision=precision, calibration=list(self.images))
            folder = tmp_path / precision
            folder.mkdir()
            path = self.written(spec, folder)
            found = self.component.open(path)(self.images)
            assert found.dtype == np.float32, f"in {precision}, the logits are {found.dtype}"
            np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max(), err_msg=precision)
            assert dict(self.component.metadata(path)) == _METADATA

    def test_the_metadata_come_back(self, tmp_path: Path) -> None:
        path = self.written(self.spec(), tmp_path)
        assert dict(self.component.metadata(path)) == _METADATA
