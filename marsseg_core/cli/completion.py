"""Shell completion: suggest how the word at the cursor of a command line may continue.

Typer calls these functions when a shell requests suggestions. Names come from package metadata, and descriptions from
source text. A component's module is imported only to suggest its parameters, and does not import Keras. If there is no
suggestion, the shell suggests files, so arguments that are paths need no completion here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import typer

from ..printable import printable
from ..registry import kinds
from ..registry.kinds import ALL_KINDS, COMPONENT_KINDS, HOOKED_KINDS, METRIC, PLAN_KINDS, RECIPE, Kind
from ..registry.parameters import NONE_WORD

if TYPE_CHECKING:
    from ..registry.entries import Entry
    from ..registry.parameters import Parameter

# A suggestion: a whole word, and a short description of it.
Word = tuple[str, str]
# A function that Typer calls with the context (the options so far) and the text of the word at the cursor.
Completer = Callable[[typer.Context, str], list[Word]]

_DESCRIPTION_LENGTH: Final = 70

# The start of a setting whose value is the name of a metric.
_MONITOR: Final = "training.monitor="

# Endings of words that are not complete.
_OPEN_ENDINGS: Final = (".", "=", "/")


def _completer(words: Callable[[Mapping[str, Any], str], Iterable[Word]]) -> Completer:
    """Make a completer for Typer from a function of (values of the other options, text at the cursor).

    Errors and the output of plugins are suppressed, so that they do not disturb the command line.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[Word]:
        from textwrap import shorten

        from rich.console import Console
        from rich.markup import escape

        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            try:
                suggestions = dict(words(ctx.params, incomplete))
            except Exception:  # from plugins, too
                return []
        # Typer renders descriptions by Rich, as markup, and folds long ones; shells would take each line for a word.
        length = min(_DESCRIPTION_LENGTH, Console().width)
        return [
            (word, escape(shorten(printable(description), length, placeholder="…")))
            for word, description in suggestions.items()
            if word.startswith(incomplete) and word == printable(word)
        ]

    return complete


def fixed(*words: str) -> Completer:
    """Suggest one of these words."""
    return _completer(lambda options, text: [(word, "") for word in words])


def composition(kind: Kind, *suffixes: str) -> Completer:
    """Suggest compositions of a kind, such as `transformer,aspp:rates=6`, or files with these suffixes."""
    return _completer(lambda options, text: _with_files(_components(kind, text), text, suffixes))


def _recipes(options: Mapping[str, Any], text: str) -> list[Word]:
    return _with_files(_names([RECIPE], text), text, (".toml",))


def _anything(options: Mapping[str, Any], text: str) -> list[Word]:
    """Suggest arguments of `marsseg show`: all names, and the parameters of an architecture."""
    return _components(kinds.ARCHITECTURE, text) if ":" in text else _names(ALL_KINDS, text)


def _kinds_or_names(options: Mapping[str, Any], text: str) -> list[Word]:
    """Suggest kinds, and also names, as in `marsseg list unet`."""
    return [(kind.name, "kind") for kind in ALL_KINDS] + _names(ALL_KINDS, text)


def _names_of_kind(options: Mapping[str, Any], text: str) -> list[Word]:
    return _names([kind for kind in ALL_KINDS if options.get("kind") in (None, kind.name, kind.option)], text)


def _names_or_distributions(options: Mapping[str, Any], text: str) -> list[Word]:
    """Suggest names that can be examined or disabled, for the last item of a list with commas."""
    from ..registry.catalog import installed

    head, last = _split_list(text)
    words = _names([*COMPONENT_KINDS, *HOOKED_KINDS], last)
    words += [(entry.distribution, f"all of {entry.provider}") for entry in installed().everything]
    return [(head + word, description) for word, description in words]


def _metrics(options: Mapping[str, Any], text: str) -> list[Word]:
    return _names([METRIC], text)


def _monitored(options: Mapping[str, Any], text: str) -> list[Word]:
    """Suggest a metric with its parameters (with or without the prefix of its column in the history), or a loss."""
    from ..planning.metrics import LOSSES, PREFIX

    prefix = PREFIX if text.startswith(PREFIX) else ""
    metrics = _components(METRIC, text.removeprefix(prefix)) if "," not in text else []
    losses = [(loss, "for early stopping only") for loss in LOSSES]
    return losses + [(prefix + word, description) for word, description in metrics]


def _settings(options: Mapping[str, Any], text: str) -> list[Word]:
    """Suggest the next part of a setting such as `arch.dense.width=0.5` or `training.epochs=20`."""
    from ..planning.options import SECTIONS
    from ..registry.catalog import installed
    from ..registry.parameters import parameters_of

    option, dot, rest = text.partition(".")
    if not dot:
        words = [
            (f"{word}.", "") for word in (*(kind.option for kind in PLAN_KINDS), *SECTIONS) if word.startswith(text)
        ]
        return _with_continuations(words, lambda word: _settings(options, word))
    if text.startswith(_MONITOR):
        monitored = _monitored(options, text.removeprefix(_MONITOR))
        return [(_MONITOR + word, description) for word, description in monitored]
    if option in SECTIONS:
        return _pairs(f"{option}.", parameters_of(SECTIONS[option]), rest, lists=True)
    kind = next((kind for kind in PLAN_KINDS if option in (kind.option, kind.name)), None)
    if kind is None:
        return []
    chosen = _chosen_names(kind, options)
    name, dot, pair = rest.partition(".")
    if not dot:
        names = [(name, "") for name in chosen] or _names([kind], rest)
        words = [(f"{option}.{name}.", description) for name, description in names if name.startswith(rest)]
        return _with_continuations(words, lambda word: _settings(options, word))
    if name.isdecimal() and 1 <= int(name) <= len(chosen):
        name = chosen[int(name) - 1]
    entry = installed().find(kind, name)
    return _pairs(text.removesuffix(pair), _parameters(entry), pair, lists=True)


def _chosen_names(kind: Kind, options: Mapping[str, Any]) -> list[str]:
    """Return the names that the command line passes to the option of a kind, which `ablate` takes several times."""
    from ..planning.grammar import parse

    given = options.get(kind.option) or ()
    texts = [given] if isinstance(given, str) else given
    return [*dict.fromkeys(named.name for text in texts for named in parse(text))]


def _components(kind: Kind, text: str) -> list[Word]:
    from ..registry.catalog import installed

    head, last = _split_list(text)
    if head and not kind.many:
        return []
    name, colon, rest = last.partition(":")
    if not colon:
        words = _names([kind], last)
        if kind.may_be_none and not head:
            words.append((NONE_WORD, ""))
        return [(head + word, description) for word, description in words]
    *complete_pairs, pair = rest.split(":")
    used = {complete.partition("=")[0] for complete in complete_pairs}
    unused = {key: value for key, value in _parameters(installed().find(kind, name)).items() if key not in used}
    return _pairs(text.removesuffix(pair), unused, pair)


def _names(searched: Iterable[Kind], text: str) -> list[Word]:
    """Suggest names and aliases; as distribution/name if `text` has a slash, or if two distributions have the name."""
    from ..registry.catalog import installed
    from ..registry.entries import CONFLICT
    from ..registry.source_code import find_source

    words = []
    for kind in searched:
        for entry in filter(lambda entry: entry.usable, installed().of_kind(kind)):
            qualified = "/" in text or entry.status == CONFLICT
            for word in [entry.qualified_name] if qualified else [entry.name, *entry.aliases]:
                if word.startswith(text):
                    source = find_source(entry)
                    words.append((word, source.summary if source else ""))
    return words


def _parameters(entry: Entry) -> dict[str, Parameter]:
    """Return the parameters of a component, with those that marsseg adds to all components of its kind."""
    from ..planning.options import options_of
    from ..registry.loading import load
    from ..registry.parameters import parameters_of

    return {**parameters_of(load(entry)), **parameters_of(options_of(entry.kind))}


def _pairs(head: str, parameters: Mapping[str, Parameter], text: str, *, lists: bool = False) -> list[Word]:
    """Suggest `key=` after `head`, or values of the key. With `lists`, a value may be a list with commas."""
    key, equals, value = text.partition("=")
    if equals:
        before, _ = _split_list(value) if lists else ("", value)
        values = _values(parameters[key], lists and not before) if key in parameters else []
        return [(f"{head}{key}={before}{word}", description) for word, description in values]
    words = [(f"{head}{name}=", parameter.help) for name, parameter in parameters.items() if name.startswith(key)]
    return _with_continuations(words, lambda word: _pairs(head, parameters, word.removeprefix(head), lists=lists))


def _values(parameter: Parameter, lists: bool) -> list[Word]:
    """Suggest values of a parameter: its default, and the words that its type allows."""
    from ..registry.parameters import to_text

    words = [(word, "") for word in _choices(parameter.type)]
    default = "" if parameter.required else to_text(parameter.default)
    if default and (lists or "," not in default):
        words = [(default, "default"), *(word for word in words if word[0] != default)]
    return words


def _choices(annotation: Any) -> list[str]:
    """Return the words that a type allows: those of a Literal, true and false, and the same in unions and lists."""
    from ..registry.parameters import to_text

    if annotation is bool:
        return ["true", "false"]
    if annotation is type(None):
        return [NONE_WORD]
    if get_origin(annotation) is Literal:
        return [to_text(choice) for choice in get_args(annotation)]
    return [word for member in get_args(annotation) if member is not Ellipsis for word in _choices(member)]


def _split_list(text: str) -> tuple[str, str]:
    """Split a list with commas into everything up to the last comma, and its last item."""
    head, comma, last = text.rpartition(",")
    return head + comma, last


def _with_continuations(words: list[Word], continuations: Callable[[str], list[Word]]) -> list[Word]:
    """Add continuations to a single word that is not complete, because a shell adds a space after a single word."""
    if len(words) != 1 or not words[0][0].endswith(_OPEN_ENDINGS):
        return words
    more = continuations(words[0][0])
    return more if len(more) > 1 else words + more


def _with_files(words: list[Word], text: str, suffixes: tuple[str, ...]) -> list[Word]:
    """Add the files and folders that start with `text`, because a shell suggests files only if there is no word."""
    if not words or not suffixes:
        return words
    paths = sorted(path for path in Path().iterdir() if path.name.startswith(text) and not path.name.startswith("."))
    words += [(path.name, "file") for path in paths if path.suffix in suffixes and path.is_file()]
    return words + [(f"{path.name}/", "folder") for path in paths if path.is_dir()]


recipes: Final = _completer(_recipes)
anything: Final = _completer(_anything)
kinds_or_names: Final = _completer(_kinds_or_names)
names_of_kind: Final = _completer(_names_of_kind)
names_or_distributions: Final = _completer(_names_or_distributions)
metrics: Final = _completer(_metrics)
monitored: Final = _completer(_monitored)
settings: Final = _completer(_settings)
