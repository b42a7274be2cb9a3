"""Files of PyTorch's old format are read without PyTorch, and hostile ones do nothing."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct

import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_plugins.encoders.torch_file import parse_tensors, read_tensors

MAGIC = 0x1950A86A20F9469CFC6C


class Name:
    """A name that a pickle refers to, as PyTorch's own module would be."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call of a name."""

    def __init__(self, name: Name, *arguments: object) -> None:
        self.name, self.arguments = name, arguments


class Build:
    """A value whose attributes a pickle sets, without a call of anything."""

    def __init__(self, value: object, state: object) -> None:
        self.value, self.state = value, state


class Operations:
    """Operations of a pickle that make one value."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class Reference:
    """A reference to a storage."""

    def __init__(self, *pid: object) -> None:
        self.pid = pid


def pickled(value: object) -> bytes:
    """A pickle of protocol 2 of texts, numbers, lists, tuples, mappings and the classes above."""

    def parts(value):
        match value:
            case Name():
                return f"c{value.module}\n{value.name}\n".encode()
            case Call():
                return parts(value.name) + parts(value.arguments) + b"R"
            case Reference():
                return parts(value.pid) + b"Q"
            case Operations():
                return value.content
            case Build():
                return parts(value.value) + parts(value.state) + b"b"
            case tuple():
                return b"(" + b"".join(map(parts, value)) + b"t"
            case list():
                return b"](" + b"".join(map(parts, value)) + b"e"
            case dict():
                return b"}(" + b"".join(parts(key) + parts(item) for key, item in value.items()) + b"u"
        return pickle.dumps(value, 2)[2:-1]

    return b"\x80\x02" + parts(value) + b"."


FLOATS, LONGS = Name("torch", "FloatStorage"), Name("torch", "LongStorage")
ORDERED = Name("collections", "OrderedDict")
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def tensor(key="1", count=6, offset=0, shape=(2, 3), strides=(3, 1), kind=FLOATS, device="cpu"):
    storage = Reference("storage", kind, key, device, count, None)
    return Call(
        REBUILD,
        storage,
        offset,
        shape,
        strides,
        False,
        Call(ORDERED),
    )


def changed_storage(**state):
    storage = Build(Reference("storage", FLOATS, "1", "cpu", 6, None), state)
    return Call(REBUILD, storage, 0, (4000,), (1,))


def torch_file(tensors: object, keys=("1",), data=None, magic=MAGIC, machine=None) -> bytes:
    machine = machine or {"protocol_version": 1001, "little_endian": True}
    values = np.arange(6, dtype="<f4").tobytes()
    data = struct.pack("<q", 6) + values if data is None else data
    return b"".join(map(pickled, (magic, 1001, machine, tensors, list(keys)))) + data


def test_tensors_are_read_with_their_strides():
    content = torch_file(
        {
            "plain": tensor(),
            "turned": tensor(shape=(3, 2), strides=(1, 3)),
            "one": tensor(offset=4, shape=(), strides=()),
        }
    )
    tensors = parse_tensors(content)
    np.testing.assert_array_equal(tensors["plain"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(tensors["turned"], np.arange(6).reshape(2, 3).T)
    assert tensors["one"] == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            torch_file({"a": Call(Name("os", "system"), "touch hostile")}), "asks for os.system", id="os.system"
        ),
        pytest.param(
            torch_file({"a": Call(Name("builtins", "eval"), "open('hostile', 'w')")}),
            "asks for builtins.eval",
            id="eval",
        ),
        pytest.param(
            torch_file({"a": Name("torch", "DoubleStorage")}), "asks for torch.DoubleStorage", id="another name"
        ),
        pytest.param(torch_file({"a": FLOATS}), "something other than tensors", id="no tensor"),
        pytest.param(torch_file([tensor()]), "something other than tensors", id="no names"),
        pytest.param(torch_file({"a": tensor(count=2**40)}), "another number of values", id="a huge storage"),
        pytest.param(torch_file({"a": tensor(count=-1)}), "unknown way", id="a negative storage"),
        pytest.param(torch_file({"a": tensor(shape=(2**40, 3))}), "larger than its storage", id="a huge tensor"),
        pytest.param(
            torch_file({"a": tensor(shape=(2**40,), strides=(0,))}),
            "larger than its storage",
            id="a huge tensor of steps 0",
        ),
        pytest.param(torch_file({"a": tensor(shape=(-2, 3))}), "impossible shape", id="a negative shape"),
        pytest.param(torch_file({"a": tensor(strides=(-3, 1))}), "impossible shape", id="negative steps"),
        pytest.param(torch_file({"a": tensor(offset=1)}), "larger than its storage", id="beyond its storage"),
        pytest.param(
            torch_file({"a": Build(tensor(), {"shape": (4000,), "strides": (1,)})}), "damaged", id="a shape set later"
        ),
        pytest.param(
            torch_file({"a": Build(tensor(), (None, {"strides": (2**40, 1)}))}), "damaged", id="steps set later"
        ),
        pytest.param(torch_file({"a": changed_storage(count=4000)}), "damaged", id="a size of a storage set later"),
        pytest.param(
            torch_file({"a": Build(FLOATS, (3, ">", None, None, None, -1, -1, 0))}), "damaged", id="a changed type"
        ),
        pytest.param(
            torch_file({"a": Build(REBUILD, (None, {"__defaults__": (1, 2)}))}), "damaged", id="changed defaults"
        ),
        pytest.param(
            torch_file({"a": Build(REBUILD, {"__name__": "hostile"})}), "damaged", id="a changed name of a function"
        ),
        pytest.param(torch_file({"a": Build(ORDERED, {"get": 1})}), "damaged", id="a changed class"),
        pytest.param(
            torch_file({Operations(b")" + 2_000_000 * b"\x85"): 1}),
            "damaged: no weights need its TUPLE1",
            id="deeply nested tuples",
        ),
        pytest.param(
            torch_file({Operations(b"(\x91"): 1}), "damaged: no weights need its FROZENSET", id="another operation"
        ),
        pytest.param(
            torch_file(Build(Call(ORDERED, [("a", 1)]), {"values": ORDERED})),
            "something other than tensors",
            id="a mapping whose methods are others",
        ),
        pytest.param(torch_file({"a": tensor(shape=(2.0, 3))}), "impossible shape", id="a shape of floats"),
        pytest.param(torch_file({"a": tensor(device="cuda:0")}), "unknown way", id="another device"),
        pytest.param(
            torch_file({"a": tensor(count=2**20, shape=(2**20,), strides=(1,)), "b": tensor()}),
            "two ways",
            id="two sizes of a storage",
        ),
        pytest.param(torch_file({"a": tensor()}, keys=("2",)), "not those of its tensors", id="another storage"),
        pytest.param(torch_file({"a": tensor()}, keys=(1,)), "not those of its tensors", id="a number as key"),
        pytest.param(torch_file({1: tensor()}), "something other than tensors", id="a name that is a number"),
        pytest.param(
            torch_file({"a": tensor(shape=(1, 3), strides=(2**62, 1))}), "larger than its storage", id="a huge step"
        ),
        pytest.param(torch_file({"a": tensor()}, keys=("1", "1")), "not those of its tensors", id="a storage twice"),
        pytest.param(
            torch_file({"a": tensor()}, data=struct.pack("<q", 2**60)), "another number of values", id="a huge count"
        ),
        pytest.param(
            torch_file({"a": tensor(count=10**30)}), "another number of values", id="more values than a file can have"
        ),
        pytest.param(torch_file({"a": tensor()}) + b"more", "continues after", id="more than its storages"),
        pytest.param(torch_file({"a": tensor()})[:-1], "another number of values", id="cut off in a storage"),
        pytest.param(torch_file({"a": tensor()})[:90], "damaged", id="cut off in a pickle"),
        pytest.param(torch_file({"a": tensor()}, magic=1), "not a file in PyTorch", id="another number at its start"),
        pytest.param(
            torch_file({"a": tensor()}, machine={"little_endian": False}),
            "not a file in PyTorch",
            id="another order of bytes",
        ),
        pytest.param(b"PK\x03\x04", "damaged", id="a zip archive"),
        pytest.param(b"", "damaged", id="empty"),
    ],
)
def test_anything_else_is_refused_and_executed_never(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        parse_tensors(content)
    assert os.listdir(tmp_path) == []


def test_whole_numbers_are_read():
    data = struct.pack("<q", 2) + np.array([5, -7], "<i8").tobytes()
    content = torch_file({"steps": tensor(count=2, shape=(2,), strides=(1,), kind=LONGS)}, data=data)
    np.testing.assert_array_equal(parse_tensors(content)["steps"], [5, -7])


def test_attributes_of_the_mapping_are_ignored():
    """PyTorch sets `_metadata` of the mapping of a network's tensors."""
    mapping = Build(Call(ORDERED, [("a", tensor())]), {"_metadata": {}})
    assert parse_tensors(torch_file(mapping))["a"].shape == (2, 3)


def test_a_file_with_another_checksum_is_not_even_parsed(tmp_path):
    content = torch_file({"a": tensor()})
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    assert list(read_tensors(file, hashlib.sha256(content).hexdigest())) == ["a"]
    with pytest.raises(RequestError, match="not the published one"):
        read_tensors(file, "0" * 64)
    with pytest.raises(RequestError, match="cannot be read"):
        read_tensors(tmp_path, "0" * 64)
