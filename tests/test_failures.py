"""Exceptions of plugins and libraries: any of them has a text, and a shortage of memory is recognised."""

from __future__ import annotations

import errno

import pytest

from marsseg_core.errors import RunError
from marsseg_core.failures import describe, memory_error, safe_repr


class MuteError(Exception):
    """Its text raises an exception that is not even an Exception."""

    def __str__(self):
        raise SystemExit(1)

    __repr__ = __str__


class TakesThreeError(Exception):
    def __init__(self, one, two, three):
        super().__init__()


def exception(name: str, base: type, text: str, module: str = __name__) -> Exception:
    return type(name, (base,), {"__module__": module})(text)


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (ValueError("no driver"), "ValueError: no driver"),
        (ValueError(), "ValueError"),
        (ValueError("  \n"), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
        (TakesThreeError(1, 2, 3), "TakesThreeError"),
        (MuteError(), "MuteError: (its text raises SystemExit)"),
        (ValueError("\x1b[2J\x00two\nlines"), "ValueError: \\x1b[2J\\x00two\nlines"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (ValueError("größer\N{NO-BREAK SPACE}als"), "ValueError: größer\N{NO-BREAK SPACE}als"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_every_exception_has_a_text_of_one_form(cause, text):
    assert describe(cause) == text


def test_a_long_text_is_cut():
    text = describe(ValueError("x" * 3_000_000))
    assert len(text) < 2100
    assert text.endswith("x… (3,000,000 characters)")


def test_an_object_whose_repr_fails_is_named_by_its_class():
    assert safe_repr(MuteError()) == "<MuteError>"
    assert safe_repr([1]) == "[1]"


TENSORFLOW = "tensorflow.python.framework.errors_impl"


@pytest.mark.parametrize(
    "cause",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        exception("ResourceExhaustedError", Exception, "OOM when allocating tensor", TENSORFLOW),
        exception("InternalError", Exception, "RESOURCE_EXHAUSTED: Out of memory", TENSORFLOW),
        exception("JaxRuntimeError", RuntimeError, "RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
        exception("OutOfMemoryError", RuntimeError, "CUDA out of memory."),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_a_shortage_of_memory_is_recognised(cause):
    error = memory_error(cause, "loss 'x'")
    assert isinstance(error, RunError)
    assert error.what.startswith("There is not enough memory")
    assert "smaller batches" in error.hint
    assert error.where == "loss 'x'"


@pytest.mark.parametrize(
    "cause",
    [
        ValueError("out of memory"),
        OSError(errno.ENOSPC, "No space left on device"),
        exception("ResourceExhaustedError", Exception, "run/x; No space left on device", TENSORFLOW),
        RuntimeError("no driver"),
        MuteError(),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_other_exceptions_are_none(cause):
    assert memory_error(cause) is None
