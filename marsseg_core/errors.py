"""Everything marsseg raises on purpose. A message says what is wrong, where, and the next step.

The command line turns each into one panel on standard error and its `exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable


class MarssegError(Exception):
    """What is wrong; `where` it stands (a file, an option, a plugin) and a `hint` at what to do next."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f" [{self.where}]" if self.where else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.what}{where}{hint}"


class RunError(MarssegError):
    """The run failed on its way: a loss that is not finite, a full disk."""


class RequestError(MarssegError):
    """What was asked for cannot be done as asked: a wrong name, value or file."""

    exit_code = 2


class PluginError(MarssegError):
    """An installed plugin is broken. Names the plugin, its distribution, version and the cause."""

    exit_code = 3


def nearest(wrong: str, known: Iterable[str], *, listing: str = "Known") -> str:
    """The hint for a wrong name: the nearest known one, else all of them.

    >>> nearest("dnse", ["dense", "unet"])
    "Did you mean 'dense'?"
    >>> nearest("zzz", ["dense", "unet"])
    'Known: dense, unet.'
    """
    from difflib import get_close_matches

    known = list(known)
    # Plain prefixes ("filter" for "filters") come out of difflib too; 0.6 is its default cutoff.
    close = get_close_matches(wrong, known, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"{listing}: {', '.join(sorted(known))}." if known else f"{listing}: none."
