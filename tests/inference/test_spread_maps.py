"""A map by workers equals that of one process, byte for byte."""

from __future__ import annotations

import re

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.executors import InThisProcess, Killing
from helpers.paths import FROZEN

from marsseg_core.errors import RequestError, RunError
from marsseg_core.inference.maps.parts import BLOCK, Parts, open_parts
from marsseg_core.inference.maps.prediction import predict_blocks, write_map
from marsseg_core.inference.maps.request import MapPrediction, MapRequest
from marsseg_core.inference.maps.spread import spread_blocks

RUN = FROZEN / "finished"
SIZE = (3 * BLOCK - 100, 40)


@pytest.fixture
def image(tmp_path):
    """An image of 12 bits, with three blocks and a corner without data."""
    values = np.random.default_rng(0).integers(1, 4096, SIZE, dtype=np.uint16)
    values[:700, :9] = 0
    place = {"crs": "+proj=eqc +R=3396190", "transform": Affine(100, 0, 5e5, 0, -100, 3e6)}
    kind = {"driver": "GTiff", "height": SIZE[0], "width": SIZE[1], "count": 1, "dtype": "uint16", "nodata": 0}
    with rasterio.open(tmp_path / "image.tif", "w", **place, **kind) as dataset:
        dataset.write(values, 1)
    return tmp_path / "image.tif"


def predict(image, out, executor=None, jobs=2, **options):
    """The bytes of a map, and the numbers of rows that its progress told; by an executor or in this process."""
    told = []
    with MapPrediction(MapRequest((str(RUN),), str(image), **options)) as prediction:
        prediction.scale()
        with open_parts(out, prediction.size, prediction.record()) as parts:
            if executor is None:
                predict_blocks(prediction, parts, progress=told.append)
            else:
                spread_blocks(prediction, parts, executor, jobs, progress=told.append)
            write_map(out, prediction.raster, parts, prediction.classes, lambda whole: None)
        return out.read_bytes(), told[-1:], prediction.raster.doubts()


def test_an_error_of_a_prediction_is_not_taken_for_another_process_that_predicts(tmp_path):
    out = tmp_path / "out.tif"
    with pytest.raises(BlockingIOError), open_parts(out, (8, 8), {}):
        raise BlockingIOError
    with open_parts(out, (8, 8), {}), pytest.raises(RequestError, match="Another process"), open_parts(out, (8, 8), {}):
        pass


@pytest.mark.parametrize("record", [b"{\xff}", b'{"runs": []}'], ids=["no text", "other spaces"])
def test_blocks_with_a_damaged_record_are_refused(tmp_path, record):
    folder = tmp_path / "out.tif.part"
    folder.mkdir()
    (folder / "request.json").write_bytes(record)
    opened = open_parts(tmp_path / "out.tif", (8, 8), {"runs": []})
    with pytest.raises(RequestError, match=r"another request: request\.json differs"), opened:
        pass


@pytest.mark.parametrize(("jobs", "options"), [(1, {}), (2, {"batch": 4, "tile_overlap": 0.3})])
def test_its_file_is_those_of_one_process(image, tmp_path, jobs, options):
    executor = InThisProcess(jobs)
    options |= {"range": "100..4095"}
    expected = predict(image, tmp_path / "one.tif", **options)
    many, rows, (doubt,) = predict(image, tmp_path / "many.tif", executor, jobs, **options)
    assert many == expected[0]
    assert rows == expected[1] == [SIZE[0]]
    assert re.fullmatch(r"2\.\d+ % of the values lie outside the range and are clipped.", doubt)
    pieces = sorted((task.arguments["first"], task.arguments["stop"]) for task in executor.done)
    assert len(pieces) == (1 if jobs == 1 else 3)  # one process can predict this image in one tile
    assert [number for piece in pieces for number in range(*piece)] == [*range(3)]


def test_it_goes_on_with_any_blocks_that_are_finished(image, tmp_path, monkeypatch):
    expected, write, written = predict(image, tmp_path / "one.tif", batch=4)[0], Parts.write, []

    def some(self, number, labels):
        if number == 1:
            write(self, number, labels)

    def noted(self, number, labels):
        written.append(number)
        write(self, number, labels)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", some)
        with pytest.raises(RequestError, match=r"000000\.png"):
            predict(image, tmp_path / "many.tif", InThisProcess(), batch=4)
    monkeypatch.setattr(Parts, "write", noted)
    many, rows, _ = predict(image, tmp_path / "many.tif", batch=4)
    assert many == expected
    assert (written, rows) == ([0, 2], [SIZE[0] - BLOCK])


def test_a_worker_that_finds_another_image_is_refused(image, tmp_path):

    class Changing(InThisProcess):
        def start(self, spec):
            image.touch()
            return super().start(spec)

    with pytest.raises(RunError, match="another request: image differs"):
        predict(image, tmp_path / "map.tif", Changing())


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(image, tmp_path):
    executor = Killing()
    expected = predict(image, tmp_path / "one.tif", batch=4)
    assert predict(image, tmp_path / "many.tif", executor, batch=4) == expected
    assert len(executor.lost) == 1


@pytest.mark.slow
def test_the_command_spreads_its_blocks(cli, image, tmp_path):
    one = cli("predict", str(RUN), "image.tif", "--out", "one.tif")
    many = cli("predict", str(RUN), "image.tif", "--out", "many.tif", "--jobs", "1")
    assert (one.code, many.code) == (0, 0), many.err
    assert many.out.replace("many", "one") == one.out
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()
    assert not [*tmp_path.glob("*.part")]
