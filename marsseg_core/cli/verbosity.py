"""Print marsseg's log messages on standard error, as the options `-v` and `-q` say."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ..errors import RequestError
from ..files.waiting import without_spinner
from ..messages import ROOT
from ..printable import printable
from .signatures import extended

Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show debug messages, too.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show only warnings and errors.")]


class _StandardError(logging.Handler):
    """Print each message as a line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message, in yellow and with "Warning: " if it is a warning."""
        is_warning = record.levelno >= logging.WARNING
        message = printable(record.getMessage())
        line = f"Warning: {message}" if is_warning else message
        console = Console(stderr=True)
        with console.capture() as captured:
            console.print(Text(line, style="yellow" if is_warning else ""), soft_wrap=True)
        # Not by the console, which would write into a progress bar: while there is one, `sys.stderr` writes above it.
        with without_spinner():
            sys.stderr.write(captured.get())
            sys.stderr.flush()


@contextmanager
def messages_on_standard_error() -> Iterator[None]:
    """Print marsseg's messages while the block runs. Inside another such block, this does nothing."""
    logger, handler = logging.getLogger(ROOT), _StandardError()
    if any(isinstance(other, _StandardError) for other in logger.handlers):
        yield
        return
    level, logger.propagate = logger.level, False  # some libraries add handlers to the root logger
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(level)


def set_verbosity(verbose: bool, quiet: bool) -> None:
    """Print more or fewer messages, until the end of `messages_on_standard_error`."""
    if verbose and quiet:
        raise RequestError("-v and -q cannot be used together.", where="-v, -q", hint="Remove one of the two.")
    if verbose or quiet:
        logging.getLogger(ROOT).setLevel(logging.DEBUG if verbose else logging.WARNING)


def take_verbosity_before(context: Any) -> None:
    """Let `-v` and `-q` before the name of a command count as after it."""
    before = context.find_root().params
    for name in ("verbose", "quiet"):
        context.params[name] = context.params.get(name, False) or before.get(name, False)


def takes_verbosity(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options `-v` and `-q` to a command."""

    def call(verbose: bool, quiet: bool, **values: Any) -> None:
        set_verbosity(verbose, quiet)
        command(**values)

    return extended(command, call, after={"verbose": Verbose, "quiet": Quiet})
