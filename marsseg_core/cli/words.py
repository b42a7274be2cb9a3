"""Understand what users of other programs type: other names of options, and lists with spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..errors import RequestError

# What an option is called in other programs for training. Words that are only misspelt are found by their letters.
OTHER_WORDS: Final = {
    "--backbone": "--encoder",
    "--batch-size": "--batch",
    "--checkpoint": "--init",
    "--config": "--plan",
    "--dataset": "--data",
    "--lr": "--learning-rate",
    "--max-epochs": "--epochs",
    "--model": "--arch",
    "--network": "--arch",
    "--num-workers": "--workers",
    "--output": "--out",
    "--recipe": "--plan",
    "--scheduler": "--schedule",
    "--weights": "--init",
}


@contextmanager
def other_words_for_options(params: Sequence[Any]) -> Iterator[None]:
    """Let the error about an unknown option name the option that means the same."""
    try:
        yield
    except Exception as error:
        meant = OTHER_WORDS.get(getattr(error, "option_name", ""))
        if meant is not None and any(meant in param.opts for param in params):
            error.possibilities = [meant]  # type: ignore[attr-defined]
        raise


def refuse_spaces_in_lists(args: Sequence[str]) -> None:
    """Raise RequestError where a list has a space after a comma, as in `--loss wssce, dice`."""
    for option, value, following in zip(args, args[1:], args[2:], strict=False):
        if option.startswith("--") and value.endswith(",") and not following.startswith("-"):
            what = f"There is a space in the list '{value} {following}'."
            raise RequestError(what, where=option, hint=f"Write it without: {option} {value}{following}.")
