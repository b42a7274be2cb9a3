"""Understand what users of other programs type: other names of commands and options, and lists with spaces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..errors import RequestError, nearest

# What other programs call a command.
OTHER_COMMANDS: Final = {
    "clean": "data clean",
    "dashboard": "board",
    "describe": "show",
    "eval": "evaluate",
    "fit": "run",
    "hpo": "sweep",
    "infer": "predict",
    "inference": "predict",
    "info": "show",
    "inspect": "data inspect",
    "leaderboard": "compare",
    "ls": "list",
    "models": "list",
    "plot": "report",
    "rank": "compare",
    "resume": "run --resume",
    "score": "evaluate",
    "search": "sweep",
    "segment": "predict",
    "tensorboard": "board",
    "test": "evaluate",
    "train": "run",
    "tune": "sweep",
    "ui": "board",
    "validate": "evaluate",
    "verify": "check",
}

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


def command_meant(word: str, known: Sequence[str]) -> str:
    """Return a hint for a command that there is not: the one that is meant, or the names of all.

    Both may be misspelt: the name of a command, and the word of another program for it.
    """
    from difflib import get_close_matches

    others = {other: command for other, command in OTHER_COMMANDS.items() if command.split()[0] in known}
    if word not in others and not get_close_matches(word, known):
        word = next(iter(get_close_matches(word, others)), word)
    if word in others:
        return f"Did you mean '{others[word]}'?"
    return nearest(word, known, listing="Commands")


@contextmanager
def other_words_for_options(params: Sequence[Any]) -> Iterator[None]:
    """Let the error about an unknown option name the option that means the same, or the setting of a plan."""
    try:
        yield
    except Exception as error:
        known = {option for param in params for option in param.opts}
        if meant := _options_meant(getattr(error, "option_name", ""), known):
            error.possibilities = meant  # type: ignore[attr-defined]
        raise


def _options_meant(word: str, known: Collection[str]) -> list[str]:
    """Return the option that means the same as an unknown one, or how its setting is set; empty for neither."""
    if OTHER_WORDS.get(word) in known:
        return [OTHER_WORDS[word]]
    if "--set" not in known:
        return []
    from ..planning.named_settings import settings_named  # not at every start: only a wrong request needs it

    return [f"--set {setting}=…" for setting in settings_named(word.removeprefix("--").replace("-", "_"))]


def refuse_spaces_in_lists(args: Sequence[str]) -> None:
    """Raise RequestError where a list has a space after a comma, as in `--loss wssce, dice`."""
    for option, value, following in zip(args, args[1:], args[2:], strict=False):
        if option.startswith("--") and value.endswith(",") and not following.startswith("-"):
            what = f"There is a space in the list '{value} {following}'."
            raise RequestError(what, where=option, hint=f"Write it without: {option} {value}{following}.")
