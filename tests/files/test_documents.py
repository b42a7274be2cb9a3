"""Test the reading of JSON and TOML: each fault of a file is one kind of error, which names the file."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from marsseg_core.errors import RequestError
from marsseg_core.files import documents
from marsseg_core.files.documents import Document, decoding, parse_json, read_json, read_toml
from marsseg_core.files.schema import Number, Table


def refusal(read, path, *words) -> RequestError:
    with pytest.raises(RequestError) as error:
        read(path, *words)
    return error.value


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "Expecting property name"),
        (b'{"a": 1, "a": 2}', "the key 'a' occurs twice in one table"),
        (b'{"a": NaN}', "a run never writes the number NaN"),
        (b'{"a": -Infinity}', "a run never writes the number -Infinity"),
        (b'{"a": 1e999}', "the number 1e999 is too large"),
        (b'{"a": 9223372036854775808}', "the number 9223372036854775808 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b"[" * 33 + b"]" * 33, "its values are nested too deeply"),
        (b"[" * 100_000, "its values are nested too deeply"),
        (b'{"a": "\xff"}', "'utf-8' codec can't decode"),
    ],
)
def test_a_broken_json_file_is_an_error_that_names_it_and_says_what_to_do(tmp_path, content, says):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    error = refusal(read_json, path, Document(Table(), "Look into {folder}."))
    assert error.what.startswith(f"metrics.json cannot be read: {says}")
    assert (error.where, error.hint) == (str(tmp_path), f"Look into {tmp_path}.")


def test_a_value_of_another_form_is_named_by_file_and_field(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text('{"test": {"miou": "x"}}')
    form = Table(required={"test": Table(required={"miou": Number(0, 1)})})
    error = refusal(read_json, path, Document(form))
    assert error.what == "metrics.json: test.miou must be a number from 0 to 1, not 'x'."


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_a_file_that_is_missing_or_none_or_too_large_is_an_error(tmp_path, monkeypatch):
    assert refusal(read_json, tmp_path / "a.json").what == "a.json cannot be read: No such file or directory."
    assert refusal(read_json, tmp_path).what.endswith("cannot be read: Is a directory.")
    os.mkfifo(tmp_path / "pipe.json")
    assert (
        refusal(read_json, tmp_path / "pipe.json").what
        == "pipe.json cannot be read: it is a named pipe, not a regular file."
    )
    monkeypatch.setattr(documents, "JSON_LIMIT", 10)
    (tmp_path / "b.json").write_text("[1,2,3,4,5,6]")
    assert refusal(read_json, tmp_path / "b.json").what == "b.json cannot be read: it is larger than 10 bytes."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a = ", "Invalid value"),
        (b"a = 1\na = 2", "Cannot overwrite a value"),
        (b"a = '\xff'", "'utf-8' codec can't decode"),
        (b"a = " + b"[" * 10_000, "its values are nested too deeply"),
        (b"a." * 30_000 + b"a = 1", "its values are nested too deeply"),
        (b"[" + b"'a' . " * 40 + b"a]", "its values are nested too deeply"),
        (b"a = " + b"[" * 40 + b"]" * 40, "its values are nested too deeply"),
    ],
)
def test_a_broken_toml_file_is_an_error_that_names_it(tmp_path, content, says):
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    error = refusal(read_toml, path, "The plan")
    assert error.what.startswith(f"The plan is not valid TOML: {says}")
    assert error.where == str(path)
    assert refusal(read_toml, path).what.startswith(f"plan.toml is not valid TOML: {says}")


def test_long_texts_and_lists_of_numbers_are_no_deep_keys(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(f"a = [{'0.5, ' * 500}]\nb = '{'word ' * 500}'\nc = '{'x' * 100_000}'")
    assert set(read_toml(path)) == {"a", "b", "c"}


def test_any_exception_of_a_decoder_becomes_one_error_but_not_those_of_marsseg_nor_an_interruption():
    class OddError(Exception):
        pass

    for cause, reason in (
        (OddError(), "OddError"),
        (OddError("why.\nmore"), "why"),
        (MemoryError(), "it needs more memory"),
    ):
        with pytest.raises(RequestError, match=f"^x cannot be read: {reason}"), decoding("x cannot be read", "here"):
            raise cause
    own = RequestError("mine")
    with pytest.raises(RequestError, match="mine"), decoding("x cannot be read", "here"):
        raise own
    with pytest.raises(KeyboardInterrupt), decoding("x cannot be read", "here"):
        raise KeyboardInterrupt


@given(st.binary(max_size=40) | st.text(alphabet='[]{}",:0123456789.eE-+aInfityNn \\u', max_size=40).map(str.encode))
def test_any_bytes_are_json_or_a_valueerror(content):
    with suppress(ValueError, RecursionError):
        parse_json(content)
