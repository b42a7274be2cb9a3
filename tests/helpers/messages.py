"""What marsseg tells while something runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from marsseg_core.messages import ROOT


@contextmanager
def _each_to(take: Callable[[str], object], level: int) -> Iterator[None]:
    handler = logging.Handler(level)
    handler.emit = lambda record: take(record.getMessage())
    logger = logging.getLogger(ROOT)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def warnings_told(lines: list[str] | None = None) -> Iterator[list[str]]:
    """The warnings that are given inside, in `lines` where it is given."""
    lines = [] if lines is None else lines
    with _each_to(lines.append, logging.WARNING):
        yield lines


@contextmanager
def no_warning() -> Iterator[None]:
    """Fail the test at the first warning inside."""
    with _each_to(pytest.fail, logging.WARNING):
        yield


@contextmanager
def warned_of(pattern: str) -> Iterator[None]:
    """Fail the test where no warning inside matches the pattern."""
    with warnings_told() as lines:
        yield
    assert any(re.search(pattern, line) for line in lines), lines
