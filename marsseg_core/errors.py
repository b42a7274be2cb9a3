"""Define the errors that marsseg raises. A message says what is wrong, where, and what to do next.

The command line shows an error as a panel on standard error, and exits with its `exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .printable import printable

# The hint of an error whose cause is an exception of a plugin or a library. In Python, `told_in_python` replaces it.
TRACEBACK_HINT: Final = "`marsseg --traceback …` shows where it failed."


class MarssegError(Exception):
    """Report what is wrong, where, and what to do next. Exit code 1.

    Args:
        what: a sentence that says what is wrong
        where: where it is wrong: a file, an option or a plugin
        hint: a sentence that says what to do next
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
        return printable(f"{self.what}{where}{hint}")

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows, which calls this."""
        from .tracebacks import notebook_traceback

        return notebook_traceback(self)


class RunError(MarssegError):
    """Report that a run failed, for example because of a loss that is not finite, or a full disk. Exit code 1."""


class RequestError(MarssegError):
    """Report a request that cannot be fulfilled, because of a wrong name, value or file. Exit code 2."""

    exit_code = 2


class PluginError(MarssegError):
    """Report a broken plugin, with its name, distribution, version and the cause. Exit code 3."""

    exit_code = 3


# The number of names that `some` shows.
_SHOWN = 3


def some(names: Sequence[str], most: int = _SHOWN) -> str:
    """Return the first names as text for a message, and the number of the others.

    Args:
        names: all names
        most: how many of them are shown

    Returns:
        Text such as "a, b, c and 7 more".
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a number with the word for what is counted, for a message.

    Args:
        count: the number
        one: the words that follow 1
        several: the words that follow any other number; None adds an s to `one`

    Returns:
        Text such as "1 image" or "2,505 images".

    Example:
        >>> counted(1, "image"), counted(0, "image"), counted(2, "class has", "classes have")
        ('1 image', '0 images', '2 classes have')
    """
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def nearest(wrong: str, known: Iterable[str], *, listing: str = "Known") -> str:
    """Return a hint for a wrong name: the known names that begin or end with it, the most similar one, or all of them.

    Args:
        wrong: the unknown name
        known: all known names
        listing: the word before the list of all names

    Returns:
        A sentence.

    Example:
        >>> nearest("dnse", ["dense", "unet"])
        "Did you mean 'dense'?"
        >>> nearest("flip", ["hflip", "vflip", "rotate"])
        "Did you mean 'hflip' or 'vflip'?"
        >>> nearest("zzz", ["dense", "unet"])
        'Known: dense, unet.'
    """
    from difflib import get_close_matches

    known = list(known)
    by_lower = {name.lower(): name for name in known}
    word = wrong.lower()
    close = [name for name in by_lower if len(word) > 2 and (name.startswith(word) or name.endswith(word))]
    if not 0 < len(close) <= 3:
        close = get_close_matches(word, by_lower, n=1)
    if close:
        choices = " or ".join(f"'{by_lower[name]}'" for name in sorted(close))
        return f"Did you mean {choices}?"
    return f"{listing}: {', '.join(sorted(known))}." if known else f"{listing}: none."
