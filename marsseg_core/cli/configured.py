"""Take the defaults of options from the configuration files, by Click's own mechanism for it, `default_map`.

Where a plan is made, a value of a file is left out if something stronger determines its setting: the command line, the
plan that it names, or the file of the project. So a plan keeps what it says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import MarssegError, RequestError, nearest
from ..files.configuration import DISABLE, Configuration, configurations
from ..registry.parameters import to_text
from .output import print_table, print_text

# Options with which a command goes on with a run or a sweep, as its own folder describes it.
_BEGUN: Final = ("--resume", "--extend", "--join")

# What a file may still say then: none of these changes a result.
_OF_THE_MACHINE: Final = frozenset({"on", "jobs", "disable", "trust", "json", "quiet", "verbose"})

# Options that execute code. A project may be somebody else's: only the user's own file may have them.
_OF_THE_USER: Final = frozenset({"plugin", "trust"})

_KEY: Final = "marsseg.configured"


@dataclass(frozen=True)
class _Layer:
    """The values for one command in one file, by the names of its parameters."""

    file: Configuration
    values: Mapping[str, Any]


@dataclass
class Configured:
    """The values for one command in all files, the strongest file first.

    Attributes:
        command: the words of the command, as in "data inspect"
        layers: the values
        origins: the file of each value that is in force, by the name of its parameter
        problem: why the files cannot be read, where the command does without them
    """

    command: str = ""
    layers: tuple[_Layer, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    problem: MarssegError | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Return the values for Click."""
        return {name: value for layer in reversed(self.layers) for name, value in layer.values.items()}

    @property
    def negations(self) -> dict[str, str]:
        """Return the words that switch off what a file switches on, with the names of the flags: `--no-overlay`."""
        return {f"--no-{name.replace('_', '-')}": name for name, value in self.defaults.items() if value is True}

    @property
    def titles(self) -> dict[str, str]:
        """Return the strongest file that has a value, by the name of the parameter."""
        return {name: layer.file.title for layer in reversed(self.layers) for name in layer.values}


def configured(context: Any) -> Configured:
    """Return what the files say of the command of a context."""
    found: Configured = context.meta.setdefault(_KEY, Configured())
    return found


def read_defaults(context: Any, group: Any, name: str, command: Any, args: Sequence[str]) -> None:
    """Read the files, and let Click take the values of a command from them. `args` are the words after its name.

    Raises RequestError for a command or an option that there is not, and for a value of the wrong type.
    """
    files = configurations()
    words = [name]
    while hasattr(command, "commands"):
        inner = command.get_command(context, args[0]) if args else None
        if inner is None:
            break
        words.append(args[0])
        command, args = inner, args[1:]
    for each in files:
        _check_commands(each, context, group)
    found = Configured(" ".join(words), tuple(_layer(each, words, command) for each in files))
    context.meta[_KEY] = found
    defaults: dict[str, Any] = found.defaults
    for word in reversed(words):
        defaults = {word: defaults}
    context.default_map = defaults


def _check_commands(file: Configuration, context: Any, group: Any) -> None:
    known = [*group.commands]
    for key in file.values:
        if key != DISABLE and key not in known and group.get_command(context, key) is None:
            hint = nearest(key, known, listing="Commands")
            raise RequestError(f"There is no command '{key}'.", where=f"{file.title} [{key}]", hint=hint)


def _layer(file: Configuration, words: Sequence[str], command: Any) -> _Layer:
    where = f"{file.title} [{'.'.join(words)}]"
    table: Any = file.values
    for word in words:
        table = table.get(word, {})
        if not isinstance(table, Mapping):
            raise RequestError(f"'{word}' must be a table.", where=where, hint=f"Write it as [{'.'.join(words)}].")
    if hasattr(command, "commands"):
        return _Layer(file, {})
    options = {word[2:]: param for param in command.params for word in param.opts if word.startswith("--")}
    options = {option: param for option, param in options.items() if option not in ("help", "version")}
    values: dict[str, Any] = {}
    for key, value in table.items():
        option = key.replace("_", "-")
        if option not in options:
            raise RequestError(f"There is no option '{key}'.", where=where, hint=nearest(option, options))
        param = options[option]
        if file.of_project and param.name in _OF_THE_USER:
            hint = "The file of a project may be somebody else's. Put it into your own file, or on the command line."
            raise RequestError(f"'{key}' executes code, and is read from your own file only.", where=where, hint=hint)
        if param.name in values:
            raise RequestError(f"'{key}' is given twice.", where=where, hint="Keep one of the two.")
        values[param.name] = _value(param, value, key, where)
    return _Layer(file, values)


def _value(param: Any, value: Any, key: str, where: str) -> Any:
    """Return a value of a file as the command line would have it: a truth value, a text, or a list of texts."""
    if param.is_flag:
        if not isinstance(value, bool):
            raise RequestError(f"'{key}' must be true or false, not {value!r}.", where=where)
        return value
    items = value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, str | int | float):
            raise RequestError(
                f"'{key}' must be a string, a number, true or false, or a list of them.",
                where=where,
                hint="Parameters of a component follow its name, as on the command line: dense:width=0.5.",
            )
    texts = [to_text(item) for item in items]
    return texts if param.multiple else ",".join(texts)


def take_defaults(context: Any, args: list[str]) -> list[str]:
    """Let the command of a context have the values of the files that count for it; return the words to parse."""
    found = configured(context)
    if not found.layers:
        return args
    defaults = found.defaults
    if any(word.partition("=")[0] in _BEGUN for word in args):
        defaults = {name: value for name, value in defaults.items() if name in _OF_THE_MACHINE}
    own = {word for param in context.command.params for word in param.secondary_opts}
    negations = {word: name for word, name in found.negations.items() if word not in own}
    off = {negations.get(word) for word in args}
    context.default_map = {name: value for name, value in defaults.items() if name not in off}
    return [word for word in args if word not in negations]


def settle(context: Any) -> None:
    """Leave out the values that something stronger determines, and record the files of the others."""
    found = configured(context)
    titles = found.titles
    found.origins = {name: titles[name] for name in context.params if _source(context, name) == "DEFAULT_MAP"}
    params = {param.name: param for param in context.command.params}
    for layer in found.layers:
        for name in _names_in_force(found, layer):
            context.params[name] = _from_folder(
                context.params[name], params[name].metavar or "", layer.file.path.parent
            )
    if found.origins and "plan" in params:
        _settle_plan(context, found, params)


def _from_folder(value: Any, metavar: str, folder: Path) -> Any:
    """Return paths that are relative to the folder of the file as absolute ones; any other value as it is."""
    if isinstance(value, list):
        return [_from_folder(item, metavar, folder) for item in value]
    if isinstance(value, Path):
        return folder / value.expanduser()
    if not isinstance(value, str) or not re.search(r"PATH|FILE|RUN", metavar) or ":" in value:
        return value
    path = Path(value).expanduser() if value.startswith("~") else Path(value)
    is_path = (len(path.parts) > 1 or path.suffix) and os.path.exists(folder / path)
    return str(folder / path) if is_path else value


def _settle_plan(context: Any, found: Configured, params: Mapping[str, Any]) -> None:
    from ..planning.named_settings import setting_of_override, settings_of_plan
    from ..registry.catalog import installed

    given = [name for name in params if typed(context, name)]
    determined: set[str | None] = set()
    for names in (given, *(_names_in_force(found, layer) for layer in found.layers)):
        for name in names:
            if name in given:
                continue
            if name in ("set", "vary"):
                texts = context.params[name]
                context.params[name] = [text for text in texts if setting_of_override(text) not in determined]
            elif _setting(params[name]) in determined:
                del found.origins[name]
                context.params[name] = () if params[name].multiple else None
        for name in names:
            value = context.params[name]
            if name in ("set", "vary"):
                determined |= {setting_of_override(text) for text in value}
            elif name in given or name in found.origins:
                determined |= {_setting(params[name])} - {None}
        if "plan" in names:
            determined |= settings_of_plan(context.params["plan"], installed())


def _names_in_force(found: Configured, layer: _Layer) -> list[str]:
    return [name for name in layer.values if found.origins.get(name) == layer.file.title]


def _setting(param: Any) -> str | None:
    """Return the setting of an option; None for options of the command itself, which are in no panel of their own."""
    from ..planning.named_settings import setting_of_option

    return setting_of_option(param.name) if getattr(param, "rich_help_panel", None) else None


def _source(context: Any, name: str) -> str:
    source = context.get_parameter_source(name)
    return "" if source is None else str(source.name)


def origins_of_plan(context: Any) -> dict[str, str]:
    """Return the files that values of a request come from, as `Request.origins` has them."""
    from ..planning.named_settings import setting_of_option

    origins = configured(context).origins
    return {name if name == "set" else setting_of_option(name) or name: title for name, title in origins.items()}


def print_origins(context: Any, *, planned: bool) -> None:
    """Print the options whose values come from a file; those of the plan only with `planned`."""
    from ..planning.named_settings import setting_of_option

    rows = [
        (f"--{name.replace('_', '-')}", to_text(context.params[name]), title)
        for name, title in configured(context).origins.items()
        if planned or (name != "set" and setting_of_option(name) is None)
    ]
    if rows:
        print_text()
        print_table(("option", "value", "origin"), rows)


def typed(context: Any, *names: str) -> bool:
    """Return whether one of some options was used on the command line."""
    return any(_source(context, name) == "COMMANDLINE" for name in names)


def name_file(error: Any, context: Any) -> None:
    """Add to an error about the value of an option the file that it comes from."""
    found = configured(context)
    table = f"[{found.command.replace(' ', '.')}]"
    text = " ".join(filter(None, (error.what, error.where)))
    for name, title in found.origins.items():
        if error.where and error.where.endswith(f", {title}"):
            error.where = f"{error.where} {table}"
        elif re.search(rf"--{name.replace('_', '-')}(?![\w-])", text):
            error.where = ", ".join(filter(None, (error.where, f"{title} {table}")))
        else:
            continue
        return


def wrong_default(error: Any, context: Any) -> RequestError | None:
    """Return the error for a value of a file that Click refuses; None if it came from the command line."""
    param, where = getattr(error, "param", None), getattr(error, "ctx", None)
    if param is None or where is None or _source(where, param.name) != "DEFAULT_MAP":
        return None
    found = configured(context)
    title, what = found.titles[param.name], str(error.message).rstrip(".")
    return RequestError(
        f"'{param.name.replace('_', '-')}' is not valid: {what}.", where=f"{title} [{found.command.replace(' ', '.')}]"
    )
