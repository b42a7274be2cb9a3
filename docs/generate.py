"""Generate the reference pages of the commands and the installed components. MkDocs calls `on_files`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from formulas import formulas, notation
from gallery import gallery_page, run_figures
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pictures import picture_of
from typer.main import get_command

from marsseg_core import testing
from marsseg_core.cli.example import example_command
from marsseg_core.cli.help_text import complete, option_words
from marsseg_core.cli.main import app
from marsseg_core.planning.options import SECTIONS, options_of
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import ALL_KINDS, COMPONENT_KINDS, EXECUTOR, EXPORTER, METRIC, OBSERVER, RECIPE, Kind
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import Parameter, parameters_of, to_text
from marsseg_core.registry.source_code import find_source, package_file


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site, without writing files into docs/."""
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
    drawn = [
        (entry, picture) for kind in ALL_KINDS for entry in marsseg_entries(kind) if (picture := picture_of(entry))
    ]
    files.append(File.generated(config, "gallery.md", content=gallery_page(drawn)))
    for picture in (*(picture for _, picture in drawn), *run_figures()):
        files.append(File.generated(config, picture.path, content=picture.content))
    return files


def commands_page() -> str:
    """Return the page of all commands, with their arguments and options."""
    intro = "# Commands\n\nThe text of `marsseg COMMAND --help`. For exit codes, see [Runs](../runs.md#exit-codes).\n"
    return "\n".join([intro, *(command_section(name, command) for name, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command with its full name, such as `marsseg data inspect`; `marsseg` itself first."""
    top: Any = get_command(app)
    yield "marsseg", top
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"marsseg {name} {inner}", subcommand) for inner, subcommand in command.commands.items())
        else:
            yield f"marsseg {name}", command


def command_section(name: str, command: Any) -> str:
    """Return the section of a command: usage, help text and options."""
    complete(command.params)
    visible = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in visible if param.param_type_name == "argument"]
    usage = " ".join([name, *map(option_words, arguments), "[OPTIONS]"])
    rows = [(f"`{option_words(param)}`", param.help) for param in arguments]
    rows += [(option_text(param), param.help) for param in visible if param not in arguments]
    if name == "marsseg":
        usage = "marsseg [OPTIONS] COMMAND …"
    text = inspect.cleandoc(command.help or "")
    return f"## {name}\n\n```text\n{usage}\n```\n\n{text}\n\n{table(('option', 'meaning'), rows)}"


def option_text(param: Any) -> str:
    """Return an option with its value, as it is typed, and whether it can be repeated."""
    return f"`{option_words(param)}`" + (" (can be repeated)" if param.multiple else "")


def kind_page(kind: Kind) -> str:
    """Return the page of a kind: all its components with their parameters."""
    entries = marsseg_entries(kind)
    core = parameters_of(options_of(kind))
    parts = [f"# {kind.plural.capitalize()}\n", f"Choose with `--{kind.option}`. {counting(kind)}\n"]
    if core:
        parts.append(f"In addition to its own parameters, each of them has these:\n\n{parameter_table(core)}")
    parts.append(notation(kind))
    return "\n".join(parts + [component_section(entry) for entry in entries])


def counting(kind: Kind) -> str:
    """Return a sentence on how many components of a kind a run takes."""
    if kind == METRIC:
        return "`--metrics` takes any number of additional metrics, separated by commas; `compare --by` takes one."
    if kind == EXECUTOR:
        return "`marsseg sweep`, `marsseg run --seeds` and `--folds`, and `marsseg predict` take one of them."
    if kind == EXPORTER:
        return "`marsseg export` takes one of them."
    if kind.many:
        return "A run takes any number of them, separated by commas."
    return "A run takes one of them, or none." if kind.may_be_none else "A run takes one of them."


def component_section(entry: Entry) -> str:
    """Return the section of a component: its text, formulas, picture, command, parameters and origin."""
    cls = load(entry)
    parameters = parameters_of(cls)
    parts = [heading(entry), inspect.cleandoc(cls.__doc__ or ""), formulas(entry), *figures(entry)]
    parts.append(f"```sh\n{example_command(entry, cls, [*parameters.values()], installed())}\n```")
    parts.append(parameter_table(parameters) if parameters else "It has no parameters.\n")
    return "\n\n".join([*parts, provenance(entry)]) + "\n"


def figures(entry: Entry) -> list[str]:
    """Return Markdown of the picture of a component; none if it has none."""
    picture = picture_of(entry)
    return [picture.figure("../")] if picture else []


def plan_page() -> str:
    """Return the page of the plan sections that are not components."""
    parts = [
        "# Plan sections\n",
        "The settings of a plan in addition to its components. Set each one with `--set SECTION.KEY=VALUE` on the "
        "command line, by its key in Python, or in the table of its section in a plan file.\n",
    ]
    for name, cls in SECTIONS.items():
        parts.append(f"## {name}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{parameter_table(parameters_of(cls))}")
    return "\n".join(parts)


def recipes_page() -> str:
    """Return the page of all recipes, with their full text."""
    parts = [
        "# Recipes\n",
        "Plans that are part of a package. Run one with `marsseg run --plan NAME`, or use it as a starting point.\n",
    ]
    for entry in marsseg_entries(RECIPE):
        path = package_file(entry)
        text = path.read_text(encoding="utf-8") if path else ""
        plan = [f"```toml\n{text.strip()}\n```", f"```sh\nmarsseg run --plan {entry.name}\n```"]
        parts.append("\n\n".join([heading(entry), *figures(entry), *plan, provenance(entry)]) + "\n")
    return "\n".join(parts)


def observers_page() -> str:
    """Return the page of all observers, with their summaries."""
    parts = [
        "# Observers\n",
        "marsseg calls them in every run ([hooks](../hooks.md)). `--disable NAME` turns one off.\n",
    ]
    for entry in marsseg_entries(OBSERVER):
        source = find_source(entry)
        parts.append(f"{heading(entry)}\n\n{source.summary if source else ''}\n\n{provenance(entry)}\n")
    return "\n".join(parts)


def testing_page() -> str:
    """Return the page of the contracts with their checks.

    The modules are parsed and not imported, because they need Keras.
    """
    parts = [
        "# Testing\n",
        "There is a contract for each kind of component. A test class inherits from it "
        "([Plugins](../plugins.md#testing-it)). If a component cannot pass a check, name the check in "
        "`expected_failures`, with the reason.\n",
    ]
    for name, path in contracts():
        (contract,) = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if is_class(node, name))
        checks = [node.name for node in contract.body if isinstance(node, ast.FunctionDef) and is_check(node)]
        check_list = "\n".join(f"- {check.removeprefix('test_').replace('_', ' ')}" for check in checks)
        module = f"{testing.__name__}.{path.stem}"
        parts.append(f"::: {module}.{name}\n    options: {{members: false}}\n\nIts checks:\n\n{check_list}\n")
    return "\n".join(parts)


def contracts() -> Iterator[tuple[str, Path]]:
    """Yield each contract and the path of its module, the common contract first."""
    for name in sorted(testing.__all__, key=lambda name: (name != "ComponentContract", name)):
        for path in sorted(Path(testing.__file__).parent.glob("*.py")):
            if re.search(rf"^class {name}\b", path.read_text(encoding="utf-8"), re.MULTILINE):
                yield name, path


def is_class(node: ast.stmt, name: str) -> bool:
    """Return whether a statement defines the class `name`."""
    return isinstance(node, ast.ClassDef) and node.name == name


def is_check(node: ast.FunctionDef) -> bool:
    """Return whether a method is a check."""
    return node.name.startswith("test_")


def marsseg_entries(kind: Kind) -> list[Entry]:
    """Return the components of a kind that belong to marsseg itself, so that other installed plugins are left out."""
    return [entry for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION]


def heading(entry: Entry) -> str:
    """Return the heading of an entry, with its aliases and an anchor."""
    aliases = f" (`{'`, `'.join(entry.aliases)}`)" if entry.aliases else ""
    return f"## {entry.name}{aliases} {{ #{entry.name} }}"


def provenance(entry: Entry) -> str:
    """Return a line with the package and the module of an entry."""
    return f"*{entry.kind} of {entry.distribution}: `{entry.target}`*"


def parameter_table(parameters: Any) -> str:
    """Return a table of parameters."""
    return table(("parameter", "type", "default", "meaning"), [row(parameter) for parameter in parameters.values()])


def row(parameter: Parameter) -> tuple[str, ...]:
    """Return the row of a parameter in the table."""
    default = "required" if parameter.required else f"`{to_text(parameter.default)}`"
    return f"`{parameter.name}`", parameter.type_text, default, parameter.help


def table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines) + "\n"


def escaped(cell: str) -> str:
    """Escape the bars in a cell, except those in code spans, where the backslash would be visible."""
    return re.sub(r"(`[^`]*`)|\|", lambda match: match[1] or r"\|", cell)
