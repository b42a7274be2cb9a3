"""`marsseg show`: describe one component, recipe, model, observer or command plugin."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import PluginError, RequestError
from ..files.text import read_text
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import (
    ALL_KINDS,
    ARCHITECTURE,
    AUGMENTATION,
    BOTTLENECK,
    DATASET,
    ENCODER,
    HOOKED_KINDS,
    METRIC,
    MODEL,
    OBSERVER,
    RECIPE,
    Kind,
)
from ..registry.listing import kind_hint, with_summary
from ..registry.loading import load
from ..registry.plugin_files import SUFFIX
from ..registry.session import open_session
from ..registry.source_code import docstring, docstring_of, find_source, read_source
from .common_options import Disable, Plugins
from .completion import anything, composition
from .example import example_command
from .output import print_json, print_prose, print_table, print_text

if TYPE_CHECKING:
    from ..registry.parameters import Parameter


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="The name of a component or recipe, or distribution/name.", metavar="NAME", autocompletion=anything
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    build: Annotated[
        bool,
        typer.Option(
            "--build", help="Build the network and measure it. NAME may have parameters, as in dense:width=0.5."
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Build the network and draw it into a PNG file.", metavar="FILE.png")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(help="Draw tiles before and after the augmentation into a PNG file.", metavar="FILE.png"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Data set for the tiles of --preview. Default: synthetic.",
            metavar="NAME|PATH",
            autocompletion=composition(DATASET, ".npz"),
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder to build the network with.", metavar="NAME", autocompletion=composition(ENCODER)),
    ] = None,
    bottleneck: Annotated[
        str | None,
        typer.Option(
            help="Bottlenecks to build the network with.", metavar="NAME,…", autocompletion=composition(BOTTLENECK)
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Size of the images to build the network for. Default: 64x128x1.", metavar="HxWxC"),
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="Number of classes to build the network for. Default: 5.", metavar="K")
    ] = None,
    plugin: Plugins = None,
    disable: Disable = None,
) -> None:
    """Show a component: its description, its parameters, the package and file it is from, and an example command."""
    text, name = name, name.partition(":")[0]
    session = open_session(plugins=plugin, disable=disable)
    catalog = session.catalog
    entries = catalog.named(name, ALL_KINDS)
    if not entries:
        known = [each for entry in catalog.everything for each in (entry.name, *entry.aliases)]
        hint = _command_for(text) or kind_hint(name) or catalog.similar(name, known)
        raise RequestError(f"Nothing is called '{name}'.", where="show", hint=hint)
    # Parameters and these options need a built network.
    needs_network = (
        build or ":" in text or any(option is not None for option in (plot, encoder, bottleneck, size, classes))
    )
    if preview is not None:
        entries = _of_fitting_kind(entries, AUGMENTATION)
    elif needs_network:
        entries = _of_fitting_kind(entries, ARCHITECTURE, RECIPE)
    records = [_record(entry, catalog) for entry in entries]
    if preview is not None:
        from .network import check_plot
        from .preview import preview as draw

        check_plot(preview, "--preview")
        draw(entries[0], text, data or "synthetic:count=60", session, preview)
        return
    if data is not None:
        raise RequestError("--data needs --preview.", where="show", hint="Add --preview FILE.png.")
    if needs_network:
        from . import network as network_views

        if plot is not None:
            network_views.check_plot(plot)

        for entry, record in zip(entries, records, strict=True):
            size, classes = size or "64x128x1", 5 if classes is None else classes
            given = {"encoder": encoder, "bottleneck": bottleneck}
            parts = {option: part for option, part in given.items() if part is not None}
            network = network_views.build(entry, text, parts, size, classes, session)
            record["built"] = network_views.facts(network)
            if plot is not None:
                network_views.plot(network, plot, ", ".join([text, *parts.values()]))
    for record in records:
        for path in plugin or ():
            if path.name == record["distribution"]:
                record["example"] += f" --plugin {shlex.quote(str(path))}"
    if json:
        print_json(components=records)
        return
    for position, record in enumerate(records):
        if position:
            print_text()
        _print_component(record)


def _command_for(path: str) -> str:
    """Return which command examines what there is at a path, and which no component is; empty if there is nothing."""
    if not os.path.exists(path):
        return ""
    from ..files.pack import is_pack
    from ..files.run_folder import RunFolder

    command = "data inspect"
    if RunFolder(path).begun:
        command = "compare"
    elif path.endswith(".zip") and is_pack(path):
        command = "check"
    return f"It is a {'folder' if os.path.isdir(path) else 'file'}: marsseg {command} {shlex.quote(path)}"


def _of_fitting_kind(entries: list[Entry], *kinds: Kind) -> list[Entry]:
    """Return the entries of these kinds, or all if there are none: then the error names the kind that does not fit."""
    return [entry for entry in entries if entry.kind in kinds] or entries


def _facts(entry: Entry) -> dict[str, Any]:
    source = find_source(entry)
    entry, _ = with_summary(entry)
    return {
        "kind": entry.kind.name,
        "name": entry.name,
        "aliases": [*entry.aliases],
        "distribution": entry.distribution,
        "version": entry.version,
        "status": entry.status,
        "reason": entry.reason,
        "file": str(source.path) if source else None,
        "line": source.line if source else None,
    }


def _record(entry: Entry, catalog: Catalog) -> dict[str, Any]:
    if entry.kind == RECIPE:
        return _recipe(entry)
    if entry.kind == MODEL:
        return _model(entry)
    return _hooked(entry) if entry.kind in HOOKED_KINDS else _component(entry, catalog)


def _hooked(entry: Entry) -> dict[str, Any]:
    # The source is read, not imported: `show` of a recipe with the same name should not import an observer.
    source = find_source(entry)
    disabled = "" if entry.distribution.endswith(SUFFIX) else f" --disable {entry.name}"  # a file need not be passed
    return _facts(entry) | {
        "text": docstring(source.path) if source else "",
        "parameters": [],
        "example": f"marsseg run{disabled}" if entry.kind == OBSERVER else "marsseg --help",
    }


def _recipe(entry: Entry) -> dict[str, Any]:
    source = find_source(entry)
    if source is None:
        raise PluginError(f"The file of the {entry.label} is missing.", where=entry.target)
    try:
        text = read_text(source.path)
    except (OSError, UnicodeDecodeError) as cause:
        raise PluginError(
            f"The {entry.label} cannot be read: {cause}.",
            where=str(source.path),
            hint="A recipe must be a TOML file in UTF-8.",
        ) from cause
    return _facts(entry) | {
        "text": f"{source.summary}\n\n{text}".strip(),
        "parameters": [],
        "example": f"marsseg run --plan {entry.name} --dry-run",
    }


def _model(entry: Entry) -> dict[str, Any]:
    try:
        source = read_source(entry)
    except RequestError as cause:
        raise PluginError(f"The {entry.label} cannot be used: {cause.what}", where=cause.where) from cause
    assert source is not None
    return _facts(entry) | {
        "text": source.summary,
        "parameters": [],
        "example": f"marsseg predict {shlex.quote(str(source.path))} IMAGES --out FOLDER",
    }


def _component(entry: Entry, catalog: Catalog) -> dict[str, Any]:
    # Imported here, so that the other commands start faster.
    from ..planning.options import options_of
    from ..registry.parameters import parameters_of

    cls = load(entry)
    parameters = [*parameters_of(cls).values(), *parameters_of(options_of(entry.kind)).values()]
    return _facts(entry) | {
        "text": "\n\n".join([docstring_of(cls), *([_direction(cls)] if entry.kind == METRIC else [])]),
        "parameters": [_parameter(parameter) for parameter in parameters],
        "example": example_command(entry, cls, parameters, catalog),
    }


def _direction(metric: Any) -> str:
    lower, upper = metric.bounds
    unit = f" {metric.unit}" if metric.unit else ""
    return f"{'Higher' if metric.higher_is_better else 'Lower'} is better, from {lower:g} to {upper:g}{unit}."


def _parameter(parameter: Parameter) -> dict[str, Any]:
    from ..registry.parameters import to_toml

    return {
        "name": parameter.name,
        "type": parameter.type_text,
        "required": parameter.required,
        "default": None if parameter.required else to_toml(parameter.default),
        "help": parameter.help,
    }


def _print_component(record: dict[str, Any]) -> None:
    aliases = f" (also {', '.join(record['aliases'])})" if record["aliases"] else ""
    print_text(f"{record['kind']} {record['name']}{aliases}")
    print_text()
    if record["kind"] == RECIPE.name:
        print_text(record["text"])  # a file, whose lines are as they are
    else:
        print_prose(record["text"])
    print_text()
    if record["parameters"]:
        from ..registry.parameters import to_text

        rows = [
            (p["name"], p["type"], "required" if p["required"] else to_text(p["default"]), p["help"])
            for p in record["parameters"]
        ]
        print_table(("parameter", "type", "default", "meaning"), rows)
        print_text()
    if "built" in record:
        from .network import print_facts

        print_facts(record["built"])
        print_text()
    place = f", {record['file']}:{record['line']}" if record["file"] else ""
    status = "" if record["status"] == "ok" else f", {record['status']}: {record['reason']}"
    print_text(f"From {record['distribution']} {record['version']}{place}{status}")
    print_text(f"Try:  {record['example']}")
