"""Describe the exceptions of plugins and libraries, and recognise those that report a shortage of memory."""

from __future__ import annotations

import errno
from typing import Final

from .errors import RunError
from .printable import printable

_LONGEST: Final = 2000


def describe(cause: BaseException) -> str:
    """Return the type and the text of an exception, as in "ValueError: no driver", whatever its class does.

    The text may be empty or raise an exception itself. Long text is cut, and control characters are escaped.
    """
    return ": ".join(filter(None, (printable(type(cause).__name__), text_of(cause))))


def text_of(cause: BaseException) -> str:
    """Return the text of an exception, as `describe` shows it; "" if it has none."""
    try:
        text = str(cause).strip()
    except KeyboardInterrupt:
        raise
    except BaseException as another:
        return f"(its text raises {printable(type(another).__name__)})"
    cut = f"… ({len(text):,} characters)" if len(text) > _LONGEST else ""
    return printable(text[:_LONGEST]) + cut


def safe_repr(thing: object) -> str:
    """Return the `repr` of an object of a plugin, or the name of its class if that fails."""
    try:
        return printable(repr(thing)[:_LONGEST])
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{printable(type(thing).__name__)}>"


def memory_error(cause: BaseException, where: str | None = None) -> RunError | None:
    """Return the error to raise in place of an exception that reports a shortage of memory; None for any other."""
    if not _is_shortage(cause):
        return None
    text = text_of(cause).partition("\n")[0].rstrip(".")
    return RunError(
        f"There is not enough memory{f': {text}' if text else ''}.",
        where=where,
        hint="Use smaller batches, or fewer or smaller images.",
    )


def _is_shortage(cause: BaseException) -> bool:
    """Return whether Python, NumPy, the operating system or a backend of Keras ran out of memory."""
    if isinstance(cause, MemoryError):
        return True
    if isinstance(cause, OSError):
        return cause.errno == errno.ENOMEM
    # TensorFlow's and JAX's classes are not imported for this: their names and texts tell.
    text = text_of(cause)
    if "No space left" in text:  # TensorFlow also calls a full disk an exhausted resource
        return False
    if type(cause).__name__ in ("ResourceExhaustedError", "OutOfMemoryError"):
        return True
    is_of_backend = isinstance(cause, RuntimeError) or type(cause).__module__.startswith("tensorflow")
    return is_of_backend and ("RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower())
