"""The pages of the reference that are made from what is installed: commands and components. MkDocs calls `on_files`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from marsseg_core import testing
from marsseg_core.cli.main import app
from marsseg_core.planning.options import SECTIONS, options_of
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import COMPONENT_KINDS, METRIC, OBSERVER, RECIPE, Kind
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import Parameter, parameters_of, to_text
from marsseg_core.registry.source_code import find_source, recipe_path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; nothing is written into docs/."""
    pages = {
        "commands": commands_page(),
        "plan": plan_page(),
        **{kind.plural: kind_page(kind) for kind in COMPONENT_KINDS},
        "recipes": recipes_page(),
        "observers": observers_page(),
        "testing": testing_page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def commands_page() -> str:
    """Every command with its arguments and options, as the command line itself knows them."""
    intro = "# Commands\n\nAs `marsseg COMMAND --help` says it. Exit codes: [Runs](../runs.md#exit-codes).\n"
    return "\n".join([intro, *(command_section(name, command) for name, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Each command with its words, `data inspect`; the command without any first."""
    top: Any = get_command(app)
    yield "marsseg", top
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"marsseg {name} {inner}", found) for inner, found in command.commands.items())
        else:
            yield f"marsseg {name}", command


def command_section(name: str, command: Any) -> str:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    usage = " ".join([name, *(param.metavar or param.name.upper() for param in arguments), "[OPTIONS]"])
    rows = [(f"`{param.metavar or param.name.upper()}`", param.help) for param in arguments]
    rows += [(option_text(param), param.help + default_text(param)) for param in shown if param not in arguments]
    if name == "marsseg":
        usage = "marsseg [OPTIONS] COMMAND …"
    text = inspect.cleandoc(command.help or "")
    return f"## {name}\n\n```text\n{usage}\n```\n\n{text}\n\n{table(('option', 'meaning'), rows)}"


def option_text(param: Any) -> str:
    option = max(param.opts, key=len)  # --quiet, not -q
    words = f"{option} {param.metavar}" if param.metavar and not param.is_flag else option
    return f"`{words}`" + (", several times" if param.multiple else "")


def default_text(param: Any) -> str:
    return "" if param.is_flag or param.default in (None, (), []) else f" Default: `{param.default}`."


def kind_page(kind: Kind) -> str:
    """Every component of a kind, with its parameters."""
    entries = own(kind)
    core = parameters_of(options_of(kind))
    parts = [f"# {kind.plural.capitalize()}\n", f"Chosen with `--{kind.option}`. {counting(kind)}\n"]
    if core:
        parts.append(f"Besides its own parameters, each takes\n\n{parameter_table(core)}")
    return "\n".join(parts + [component_section(entry) for entry in entries])


def counting(kind: Kind) -> str:
    if kind == METRIC:
        return "`--metrics` takes any number besides, in a list with commas; `compare --by` one."
    if kind.many:
        return "A run takes any number, in a list with commas."
    return "A run takes one."


def component_section(entry: Entry) -> str:
    cls = load(entry)
    parameters = parameters_of(cls)
    said = parameter_table(parameters) if parameters else "It has no parameters.\n"
    return f"{heading(entry)}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{said}\n{provenance(entry)}\n"


def plan_page() -> str:
    """The sections of a plan that are no components."""
    parts = [
        "# Plan sections\n",
        "What a plan says besides its components. Each is set with `--set SECTION.KEY=VALUE`, in Python by its key, in "
        "a plan file in a table of the section's name.\n",
    ]
    for name, cls in SECTIONS.items():
        parts.append(f"## {name}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{parameter_table(parameters_of(cls))}")
    return "\n".join(parts)


def recipes_page() -> str:
    """Every recipe, whole."""
    parts = ["# Recipes\n", "Plans that ship with a package: `marsseg run --plan NAME`, or in part, as a start.\n"]
    for entry in own(RECIPE):
        path = recipe_path(entry)
        text = path.read_text(encoding="utf-8") if path else ""
        parts.append(f"{heading(entry)}\n\n```toml\n{text.strip()}\n```\n\n{provenance(entry)}\n")
    return "\n".join(parts)


def observers_page() -> str:
    """Every observer, with what it says of itself."""
    parts = [
        "# Observers\n",
        "Called in every run ([hooks](../hooks.md)); `--disable NAME` does without one.\n",
    ]
    for entry in own(OBSERVER):
        source = find_source(entry)
        parts.append(f"{heading(entry)}\n\n{source.summary if source else ''}\n\n{provenance(entry)}\n")
    return "\n".join(parts)


def testing_page() -> str:
    """The contracts, each with its checks, whose names are sentences. Read, not imported: they need Keras."""
    parts = [
        "# Testing\n",
        "The contracts, one for each kind of component. A test inherits one ([Plugins](../plugins.md#testing-it)); a "
        "check that a component cannot pass is named, with the reason, in `expected_failures`.\n",
    ]
    for name, path in contracts():
        (found,) = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if is_class(node, name))
        checks = [node.name for node in found.body if isinstance(node, ast.FunctionDef) and is_check(node)]
        listed = "\n".join(f"- {check.removeprefix('test_').replace('_', ' ')}" for check in checks)
        module = f"{testing.__name__}.{path.stem}"
        parts.append(f"::: {module}.{name}\n    options: {{members: false}}\n\nIts checks:\n\n{listed}\n")
    return "\n".join(parts)


def contracts() -> Iterator[tuple[str, Path]]:
    """Each contract and the file it is in, the common one first."""
    for name in sorted(testing.__all__, key=lambda name: (name != "ComponentContract", name)):
        for path in sorted(Path(testing.__file__).parent.glob("*.py")):
            if re.search(rf"^class {name}\b", path.read_text(encoding="utf-8"), re.MULTILINE):
                yield name, path


def is_class(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == name


def is_check(node: ast.FunctionDef) -> bool:
    return node.name.startswith("test_")


def own(kind: Kind) -> list[Entry]:
    """marsseg's own components of a kind: the pages do not depend on what else is installed."""
    return [entry for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION]


def heading(entry: Entry) -> str:
    aliases = f" (`{'`, `'.join(entry.aliases)}`)" if entry.aliases else ""
    return f"## {entry.name}{aliases} {{ #{entry.name} }}"


def provenance(entry: Entry) -> str:
    return f"*{entry.kind} of {entry.distribution}: `{entry.target}`*"


def parameter_table(parameters: Any) -> str:
    return table(("parameter", "type", "default", "meaning"), [row(parameter) for parameter in parameters.values()])


def row(parameter: Parameter) -> tuple[str, ...]:
    default = "must be given" if parameter.required else f"`{to_text(parameter.default)}`"
    return f"`{parameter.name}`", parameter.type_text, default, parameter.help


def table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines) + "\n"


def escaped(cell: str) -> str:
    """A bar parts cells, but for one in a code span, where a backslash would be seen."""
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", cell)
