"""Shell completion: how a word of the command line may go on, from what is installed.

Typer calls these functions when a shell asks. Names come from package metadata, summaries from source text; for the
parameters of one component its module is imported, which imports no Keras. Where nothing is offered the shell offers
files, so that what takes a path needs no completion here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import typer

from ..registry import kinds
from ..registry.kinds import ALL_KINDS, COMPONENT_KINDS, HOOKED_KINDS, METRIC, PLAN_KINDS, RECIPE, Kind
from ..registry.parameters import NONE_WORD

if TYPE_CHECKING:
    from ..registry.entries import Entry
    from ..registry.parameters import Parameter

# A whole word that the one typed may become, and what is said of it.
Word = tuple[str, str]
# What Typer calls, with the command line so far and the word that is typed.
Completer = Callable[[typer.Context, str], list[Word]]

# Characters of what is said of a word.
_ROOM: Final = 70

# What is set to a metric's name.
_MONITOR: Final = "training.monitor="

# Endings after which a word goes on.
_OPEN: Final = (".", "=", "/")


def _completer(words: Callable[[Mapping[str, Any], str], Iterable[Word]]) -> Completer:
    """`words` of (what the other options were given, the text typed), as Typer wants it.

    Nobody asked for a plugin's output or for an error on pressing a key: both are swallowed.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[Word]:
        from textwrap import shorten

        from rich.console import Console
        from rich.markup import escape

        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            try:
                found = dict(words(ctx.params, incomplete))
            except Exception:  # a plugin's too
                return []
        # Typer has Rich render what is said of a word: as markup, and folded into lines that shells take for words.
        room = min(_ROOM, Console().width)
        return [
            (word, escape(shorten(said, room, placeholder="…")))
            for word, said in found.items()
            if word.startswith(incomplete)
        ]

    return complete


def fixed(*words: str) -> Completer:
    """One of a few words."""
    return _completer(lambda given, text: [(word, "") for word in words])


def composition(kind: Kind, *suffixes: str) -> Completer:
    """Components of a kind with their parameters, `transformer,aspp:rates=6`, or files of these suffixes."""
    return _completer(lambda given, text: _with_files(_components(kind, text), text, suffixes))


def _recipes(given: Mapping[str, Any], text: str) -> list[Word]:
    return _with_files(_names([RECIPE], text), text, (".toml",))


def _anything(given: Mapping[str, Any], text: str) -> list[Word]:
    """What `marsseg show` takes: any name; an architecture's parameters too, as it can be built."""
    return _components(kinds.ARCHITECTURE, text) if ":" in text else _names(ALL_KINDS, text)


def _kinds_or_names(given: Mapping[str, Any], text: str) -> list[Word]:
    """`marsseg list unet` is understood too."""
    return [(kind.name, "kind") for kind in ALL_KINDS] + _names(ALL_KINDS, text)


def _names_of_kind(given: Mapping[str, Any], text: str) -> list[Word]:
    return _names([kind for kind in ALL_KINDS if given.get("kind") in (None, kind.name, kind.option)], text)


def _names_or_distributions(given: Mapping[str, Any], text: str) -> list[Word]:
    """What can be examined or switched off; in a list with commas."""
    from ..registry.catalog import installed

    head, last = _split_list(text)
    words = _names([*COMPONENT_KINDS, *HOOKED_KINDS], last)
    words += [(entry.distribution, f"all of {entry.provider}") for entry in installed().everything]
    return [(head + word, said) for word, said in words]


def _metrics(given: Mapping[str, Any], text: str) -> list[Word]:
    return _names([METRIC], text)


def _monitored(given: Mapping[str, Any], text: str) -> list[Word]:
    """A metric with its parameters, also as its column in the history is called; or a loss."""
    from ..planning.metrics import LOSSES, PREFIX

    prefix = PREFIX if text.startswith(PREFIX) else ""
    found = _components(METRIC, text.removeprefix(prefix)) if "," not in text else []
    losses = [(loss, "to stop by; the best network is kept by the default") for loss in LOSSES]
    return losses + [(prefix + word, said) for word, said in found]


def _settings(given: Mapping[str, Any], text: str) -> list[Word]:
    """`arch.dense.width=0.5` or `training.epochs=20`, part by part."""
    from ..planning.options import SECTIONS
    from ..registry.catalog import installed
    from ..registry.parameters import parameters_of

    option, dot, rest = text.partition(".")
    if not dot:
        found = [
            (f"{word}.", "") for word in (*(kind.option for kind in PLAN_KINDS), *SECTIONS) if word.startswith(text)
        ]
        return _onward(found, lambda word: _settings(given, word))
    if text.startswith(_MONITOR):
        return [(_MONITOR + word, said) for word, said in _monitored(given, text.removeprefix(_MONITOR))]
    if option in SECTIONS:
        return _pairs(f"{option}.", parameters_of(SECTIONS[option]), rest, lists=True)
    kind = next((kind for kind in PLAN_KINDS if option in (kind.option, kind.name)), None)
    if kind is None:
        return []
    chosen = _chosen(kind, given)
    name, dot, pair = rest.partition(".")
    if not dot:
        names = [(name, "") for name in chosen] or _names([kind], rest)
        found = [(f"{option}.{name}.", said) for name, said in names if name.startswith(rest)]
        return _onward(found, lambda word: _settings(given, word))
    if name.isdecimal() and 1 <= int(name) <= len(chosen):
        name = chosen[int(name) - 1]
    entry = installed().find(kind, name)
    return _pairs(text.removesuffix(pair), _parameters(entry), pair, lists=True)


def _chosen(kind: Kind, given: Mapping[str, Any]) -> list[str]:
    """The names that stand behind the kind's option on this command line."""
    from ..planning.grammar import parse

    text = given.get(kind.option)
    return [named.name for named in parse(text)] if isinstance(text, str) else []


def _components(kind: Kind, text: str) -> list[Word]:
    from ..registry.catalog import installed

    head, last = _split_list(text)
    if head and not kind.many:
        return []
    name, colon, rest = last.partition(":")
    if not colon:
        words = _names([kind], last)
        if kind.in_plan == "any" and not head:
            words.append((NONE_WORD, ""))
        return [(head + word, said) for word, said in words]
    *done, pair = rest.split(":")
    taken = {before.partition("=")[0] for before in done}
    free = {key: value for key, value in _parameters(installed().find(kind, name)).items() if key not in taken}
    return _pairs(text.removesuffix(pair), free, pair)


def _names(several: Iterable[Kind], text: str) -> list[Word]:
    """Names and aliases; with the distribution before them where it is typed, or where the bare name means nothing."""
    from ..registry.catalog import installed
    from ..registry.entries import CONFLICT
    from ..registry.source_code import find_source

    words = []
    for kind in several:
        for entry in filter(lambda entry: entry.usable, installed().of_kind(kind)):
            qualified = "/" in text or entry.status == CONFLICT
            for word in [entry.qualified_name] if qualified else [entry.name, *entry.aliases]:
                if word.startswith(text):
                    source = find_source(entry)
                    words.append((word, source.summary if source else ""))
    return words


def _parameters(entry: Entry) -> dict[str, Parameter]:
    """A component's own parameters and those that the core adds."""
    from ..planning.options import options_of
    from ..registry.loading import load
    from ..registry.parameters import parameters_of

    return {**parameters_of(load(entry)), **parameters_of(options_of(entry.kind))}


def _pairs(head: str, parameters: Mapping[str, Parameter], text: str, *, lists: bool = False) -> list[Word]:
    """`key=` behind `head`, or the values of the key; `lists` where a value may hold commas."""
    key, equals, value = text.partition("=")
    if equals:
        before, _ = _split_list(value) if lists else ("", value)
        values = _values(parameters[key], lists and not before) if key in parameters else []
        return [(f"{head}{key}={before}{word}", said) for word, said in values]
    found = [(f"{head}{name}=", about.help) for name, about in parameters.items() if name.startswith(key)]
    return _onward(found, lambda word: _pairs(head, parameters, word.removeprefix(head), lists=lists))


def _values(parameter: Parameter, lists: bool) -> list[Word]:
    """The words that a parameter takes, its default among them."""
    from ..registry.parameters import to_text

    words = [(word, "") for word in _choices(parameter.type)]
    default = "" if parameter.required else to_text(parameter.default)
    if default and (lists or "," not in default):
        words = [(default, "default"), *(word for word in words if word[0] != default)]
    return words


def _choices(annotation: Any) -> list[str]:
    """The words that a type has: of Literals, of true and false, of unions and lists of these."""
    from ..registry.parameters import to_text

    if annotation is bool:
        return ["true", "false"]
    if annotation is type(None):
        return [NONE_WORD]
    if get_origin(annotation) is Literal:
        return [to_text(choice) for choice in get_args(annotation)]
    return [word for member in get_args(annotation) if member is not Ellipsis for word in _choices(member)]


def _split_list(text: str) -> tuple[str, str]:
    """What is done of a list with commas, and its last item."""
    done, comma, last = text.rpartition(",")
    return done + comma, last


def _onward(found: list[Word], deeper: Callable[[str], list[Word]]) -> list[Word]:
    """A single word that goes on is followed by what it may go on with: no shell then takes it for finished."""
    if len(found) != 1 or not found[0][0].endswith(_OPEN):
        return found
    more = deeper(found[0][0])
    return more if len(more) > 1 else found + more


def _with_files(words: list[Word], text: str, suffixes: tuple[str, ...]) -> list[Word]:
    """Words, and the files and folders that begin alike: shells offer their own only where no word fits."""
    if not words or not suffixes:
        return words
    beside = sorted(path for path in Path().iterdir() if path.name.startswith(text) and not path.name.startswith("."))
    words += [(path.name, "file") for path in beside if path.suffix in suffixes and path.is_file()]
    return words + [(f"{path.name}/", "folder") for path in beside if path.is_dir()]


recipes: Final = _completer(_recipes)
anything: Final = _completer(_anything)
kinds_or_names: Final = _completer(_kinds_or_names)
names_of_kind: Final = _completer(_names_of_kind)
names_or_distributions: Final = _completer(_names_or_distributions)
metrics: Final = _completer(_metrics)
monitored: Final = _completer(_monitored)
settings: Final = _completer(_settings)
