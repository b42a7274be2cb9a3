"""Everything marsseg raises on purpose. A message says what is wrong, where, and the next step.

The command line turns each into one panel on standard error and its `exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable


class MarssegError(Exception):
    """Report what is wrong, where it stands, and what to do next. The command line shows it as a panel.

    Args:
        what: a sentence that says what is wrong
        where: a file, an option, a plugin
        hint: a sentence on what to do next
    """

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
    """Report that a run failed on its way: a loss that is not finite, a full disk. Exit code 1."""


class RequestError(MarssegError):
    """Report that what was asked for cannot be done as asked: a wrong name, value or file. Exit code 2."""

    exit_code = 2


class PluginError(MarssegError):
    """Report that an installed plugin is broken, with its name, distribution, version and the cause. Exit code 3."""

    exit_code = 3


def nearest(wrong: str, known: Iterable[str], *, listing: str = "Known") -> str:
    """Make the hint for a wrong name: the nearest known one, else all of them behind the word `listing`.

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
