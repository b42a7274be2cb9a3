"""What the command line shows of marsseg's messages: `-v` and `-q`, and a handler that prints them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ..errors import RequestError
from ..messages import ROOT
from .signatures import extended

Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say what is decided, too.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")]


class _StandardError(logging.Handler):
    """Print each message as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        line = f"Warning: {record.getMessage()}" if is_warning else record.getMessage()
        Console(stderr=True).print(Text(line, style="yellow" if is_warning else ""), soft_wrap=True)


@contextmanager
def messages_on_standard_error() -> Iterator[None]:
    """Print marsseg's messages while a command runs; inside of another, once."""
    logger, handler = logging.getLogger(ROOT), _StandardError()
    if any(isinstance(other, _StandardError) for other in logger.handlers):
        yield
        return
    level, logger.propagate = logger.level, False  # libraries put handlers of their own on the root logger
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(level)


def takes_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that set how much is said."""

    def call(verbose: bool, quiet: bool, **given: Any) -> None:
        if verbose and quiet:
            raise RequestError("-v and -q exclude each other.", where="-v, -q", hint="Keep one of the two.")
        if verbose or quiet:
            logging.getLogger(ROOT).setLevel(logging.DEBUG if verbose else logging.WARNING)
        command(**given)

    return extended(command, call, after={"verbose": Verbose, "quiet": Quiet})
