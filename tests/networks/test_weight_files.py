"""Files of weights are read whatever wrote them, and damaged or hostile ones are refused with their reason."""

from __future__ import annotations

import json
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.networks.weight_files import read_weights

KERNEL = np.arange(6, dtype=np.float32).reshape(1, 2, 3)


def safetensors(header: object, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(1, 2, 3), offsets=(0, 24)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


class TestNpz:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_it_is_read_by_its_keys(self, tmp_path, save):
        save(tmp_path / "a.npz", **{"conv/kernel": KERNEL, "norm/beta": np.asfortranarray(np.ones((2, 3)))})
        values = read_weights(tmp_path / "a.npz")
        assert list(values) == ["conv/kernel", "norm/beta"]
        np.testing.assert_array_equal(values["conv/kernel"], KERNEL)
        assert values["norm/beta"].shape == (2, 3)

    def test_an_array_in_fortran_order_is_not_turned(self, tmp_path):
        np.savez(tmp_path / "a.npz", **{"conv/kernel": np.asfortranarray(KERNEL)})
        np.testing.assert_array_equal(read_weights(tmp_path / "a.npz")["conv/kernel"], KERNEL)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (np.array([{}], dtype=object), "cannot be weights"),
            (np.arange(3), "cannot be weights"),
            (np.array([1, np.nan]), "not finite"),
        ],
    )
    def test_other_values_are_refused(self, tmp_path, value, message):
        np.savez(tmp_path / "a.npz", **{"conv/kernel": value})
        with pytest.raises(RequestError, match=message):
            read_weights(tmp_path / "a.npz")

    def test_a_header_that_claims_more_than_there_is_takes_no_memory(self, tmp_path):
        header = b"\x93NUMPY\x01\x00" + struct.pack("<H", 70)
        header += f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**45},)}}".encode().ljust(69) + b"\n"
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("conv/kernel.npy", header)
        with pytest.raises(RequestError, match="its shape needs 140,737,488,355,328"):
            read_weights(tmp_path / "a.npz")

    def test_a_bomb_is_refused(self, tmp_path):
        np.savez_compressed(tmp_path / "a.npz", **{"conv/kernel": np.zeros(10_000_000, np.float32)})
        with pytest.raises(RequestError, match="are stored"):
            read_weights(tmp_path / "a.npz")


class TestSafetensors:
    @pytest.mark.parametrize(("dtype", "stored"), [("F32", "<f4"), ("F64", "<f8"), ("F16", "<f2"), ("BF16", None)])
    def test_it_is_read(self, tmp_path, dtype, stored):
        data = (
            (KERNEL.view(np.uint32) >> 16).astype("<u2").tobytes()
            if stored is None
            else KERNEL.astype(stored).tobytes()
        )
        header = {"__metadata__": {"format": "pt"}, "conv/kernel": entry(dtype, offsets=(0, len(data)))}
        (tmp_path / "a.safetensors").write_bytes(safetensors(header, data))
        values = read_weights(tmp_path / "a.safetensors")
        assert list(values) == ["conv/kernel"]
        np.testing.assert_array_equal(values["conv/kernel"], KERNEL)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(b"", "header", id="empty"),
            pytest.param(safetensors({}, b"", length=2**60), "header would have", id="a huge header"),
            pytest.param(safetensors(b"[]", b""), "must be a table", id="a list"),
            pytest.param(safetensors(b'{"a": 1}', b""), "must be a table", id="an entry is a number"),
            pytest.param(safetensors(b"not JSON", b""), "cannot be read", id="no JSON"),
            pytest.param(safetensors({"a": {"dtype": "F32"}}, b""), "missing", id="no shape"),
            pytest.param(safetensors({"a": entry()}, b"short"), "beyond the end", id="cut off"),
            pytest.param(safetensors({"a": entry(offsets=(24, 0))}, bytes(24)), "beyond the end", id="backwards"),
            pytest.param(safetensors({"a": entry(shape=(2**50,))}, bytes(24)), "its shape needs", id="a huge shape"),
            pytest.param(safetensors({"a": entry(shape=(-1, 6))}, bytes(24)), "number from 0", id="a negative shape"),
            pytest.param(safetensors({"a": entry("I64")}, bytes(24)), "cannot be weights", id="whole numbers"),
            pytest.param(safetensors({"a": entry(), "b": entry()}, bytes(24)), "in the same place", id="read twice"),
        ],
    )
    def test_a_damaged_one_is_refused(self, tmp_path, content, message):
        (tmp_path / "a.safetensors").write_bytes(content)
        with pytest.raises(RequestError, match=message):
            read_weights(tmp_path / "a.safetensors")


class TestKerasWeights:
    def test_layers_are_found_by_their_names_also_inside_others(self, tmp_path):
        features = keras.Input((4, 8))
        x = keras.layers.Dense(8, name="encoder_dense")(features)
        x = keras.layers.MultiHeadAttention(2, 4, name="encoder_attention")(x, x)
        network = keras.Model(features, keras.layers.BatchNormalization(name="norm")(x))
        network.save_weights(tmp_path / "a.weights.h5")
        values = read_weights(tmp_path / "a.weights.h5")
        np.testing.assert_array_equal(values["encoder_dense/0"], network.get_layer("encoder_dense").kernel)
        np.testing.assert_array_equal(values["norm/3"], np.ones(8))
        paths = {variable.path.rpartition("/")[0] for variable in network.weights}
        assert {path.rpartition("/")[0] for path in values} == paths

    @pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/layers")])
    def test_links_are_not_followed(self, tmp_path, link):
        with h5py.File(tmp_path / "a.weights.h5", "w") as file:
            file.create_group("layers")["dense"] = link
        with pytest.raises(RequestError, match="never followed"):
            read_weights(tmp_path / "a.weights.h5")

    @pytest.mark.parametrize("again", ["/", "/layers/dense/vars/0"])
    def test_nothing_is_read_twice(self, tmp_path, again):
        """A group that holds itself would be read without end, and many names of an array would fill the memory."""
        with h5py.File(tmp_path / "a.weights.h5", "w") as file:
            file["layers/dense/vars/0"] = np.ones(3, np.float32)
            file["layers/dense/vars/1"] = file[again]
        with pytest.raises(RequestError, match="under another name"):
            read_weights(tmp_path / "a.weights.h5")

    def test_an_array_in_another_file_is_not_read(self, tmp_path):
        (tmp_path / "secret").write_bytes(bytes(range(24)))
        with h5py.File(tmp_path / "a.weights.h5", "w") as file:
            group = file.create_group("layers/dense/vars")
            group.create_dataset("0", (6,), "<f4", external=[(str(tmp_path / "secret"), 0, 24)])
        with pytest.raises(RequestError, match="never read"):
            read_weights(tmp_path / "a.weights.h5")


def test_a_file_of_another_kind_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"<!doctype html><html></html>")
    with pytest.raises(RequestError, match=r"HTML page, not an \.npz file"):
        read_weights(tmp_path / "a.npz")
