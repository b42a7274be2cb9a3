"""Compare the layers that resize maps as PyTorch does with references that are computed cell by cell."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from marsseg_core.networks.keras_backend.settings import precision
from marsseg_plugins.resampling import AdaptiveAveragePooling, AlignedResizing, averaging

sides, counts = st.integers(1, 40), st.integers(1, 40)


def fields(cells, count):
    """Return the cells of each field, as in PyTorch's documentation of AdaptiveAvgPool2d."""
    return [range(i * cells // count, -(-(i + 1) * cells // count)) for i in range(count)]


@given(sides, counts)
@settings(max_examples=400, deadline=None)
def test_fields_cover_all_cells_and_have_nearly_the_same_size(cells, count):
    shares = averaging(cells, count)
    covered = [np.flatnonzero(row).tolist() for row in shares]
    assert covered == [list(field) for field in fields(cells, count)]
    assert sorted(set().union(*covered)) == list(range(cells))
    assert max(map(len, covered)) <= -(-cells // count) + 1
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(("cells", "count", "most"), [(15, 8, 3), (15, 4, 5), (12, 8, 2), (23, 8, 4), (23, 4, 7)])
def test_a_finer_grid_has_no_coarser_fields(cells, count, most):
    """With steps of equal length and one size for all, 8 fields of 15 cells averaged 8 each, and 4 fields 6."""
    assert max(map(len, fields(cells, count))) == most == int((averaging(cells, count) > 0).sum(1).max())


@given(sides, sides, counts, counts)
@settings(max_examples=25, deadline=None)
def test_pooling_is_the_mean_of_each_field_and_does_not_change_a_constant(rows, columns, down, across):
    x = np.random.default_rng(rows * 41 + columns).random((2, rows, columns, 3), dtype=np.float32)
    pooled = keras.ops.convert_to_numpy(AdaptiveAveragePooling(down, across)(x))
    expected = [[x[:, r][:, :, c].mean((1, 2)) for c in fields(columns, across)] for r in fields(rows, down)]
    np.testing.assert_allclose(pooled, np.transpose(expected, (2, 0, 1, 3)), atol=1e-6)
    constant = AdaptiveAveragePooling(down, across)(np.full((1, rows, columns, 1), 0.7, "float32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(constant), 0.7, rtol=1e-6)


@given(sides, sides, counts, counts)
@settings(max_examples=25, deadline=None)
def test_resizing_interpolates_between_neighbouring_cells(rows, columns, down, across):
    x = np.random.default_rng(rows * 41 + columns).random((1, rows, columns, 2), dtype=np.float32)
    actual = keras.ops.convert_to_numpy(AlignedResizing(down, across)(x))
    at_rows = np.linspace(0, rows - 1, down) if down > 1 else [0]
    at_columns = np.linspace(0, columns - 1, across) if across > 1 else [0]
    expected = np.apply_along_axis(lambda line: np.interp(at_rows, np.arange(rows), line), 1, x)
    expected = np.apply_along_axis(lambda line: np.interp(at_columns, np.arange(columns), line), 2, expected)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_resizing_keeps_the_corners():
    x = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)
    actual = keras.ops.convert_to_numpy(AlignedResizing(4, 6)(x))[0, ..., 0]
    assert actual[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize("layer", [AdaptiveAveragePooling, AlignedResizing])
def test_they_compute_in_float32_and_can_be_saved_and_loaded(layer, tmp_path):
    with precision("mixed_float16"):
        images = keras.Input((9, 7, 2))
        network = keras.Model(images, layer(4, 5)(images))
    x = np.random.default_rng(0).random((1, 9, 7, 2), dtype=np.float32)
    before = network(x)
    assert before.dtype == "float32"
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")(x)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again), keras.ops.convert_to_numpy(before))
