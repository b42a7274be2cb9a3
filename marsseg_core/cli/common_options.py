"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..registry.kinds import METRIC
from .completion import composition, fixed, monitored, names_or_distributions, recipes, settings

Decoding = Annotated[
    str,
    typer.Option(
        help="How values become classes: run (as each run has chosen) or argmax (without offsets).",
        metavar="run|argmax",
        autocompletion=fixed("run", "argmax"),
    ),
]

Disable = Annotated[
    list[str] | None,
    typer.Option(
        "--disable",
        help="Disable a component, observer or plugin of commands, or all plugins of a distribution.",
        metavar="NAME,…",
        autocompletion=names_or_distributions,
    ),
]

Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Also use the components and hooks that a Python file defines.", metavar="FILE.py"),
]

Trust = Annotated[bool, typer.Option("--trust", help="Execute the plugin files that are stored with a plan or a run.")]

Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta",
        help="Test-time augmentation: average over each image and its flipped copies. Default: as the run was scored.",
    ),
]

# The options of commands that train.

Base = Annotated[
    str | None,
    typer.Option(help="Start from a recipe, a plan file or a run.", metavar="RECIPE|FILE|RUN", autocompletion=recipes),
]

Set = Annotated[
    list[str] | None,
    typer.Option(
        help="Set one value of the plan. Can be repeated.", metavar="KIND.NAME.KEY=VALUE", autocompletion=settings
    ),
]

Epochs = Annotated[str | None, typer.Option(help="Passes over the training subset.", metavar="N")]

Batch = Annotated[str | None, typer.Option(help="Images per step.", metavar="N")]

LearningRate = Annotated[str | None, typer.Option(help="The learning rate at the start.", metavar="RATE")]

Patience = Annotated[str | None, typer.Option(help="Stop after N epochs without progress.", metavar="N")]

Monitor = Annotated[
    str | None,
    typer.Option(
        help="The metric that selects the best network and that early stopping watches.",
        metavar="NAME[:KEY=VALUE]…",
        autocompletion=monitored,
    ),
]

Metrics = Annotated[
    str | None,
    typer.Option(
        help="Further metrics to compute and show.",
        metavar="NAME[:KEY=VALUE]…",
        autocompletion=composition(METRIC),
    ),
]

Precision = Annotated[
    str | None,
    typer.Option(
        help="The dtype policy: float32, mixed_bfloat16, mixed_float16; auto: mixed_bfloat16 where the machine "
        "has it, else float32.",
        autocompletion=fixed("float32", "mixed_bfloat16", "mixed_float16", "auto"),
    ),
]

BatchWorkers = Annotated[str | None, typer.Option(help="Threads or processes that prepare batches.", metavar="N")]

Init = Annotated[
    str | None,
    typer.Option(help="Start from the weights of another run, in all layers where they fit.", metavar="RUN"),
]

Unlabelled = Annotated[
    str | None,
    typer.Option(
        help="The images without labels for --semi: a data set or a path; own: those of the data set itself.",
        metavar="NAME|PATH|own",
    ),
]

SplitSource = Annotated[
    str | None,
    typer.Option(
        help="Take the subsets from a file: CSV with the columns item and subset (or fold), or a run's split.json; "
        "given: as the data come; drawn: by shares.",
        metavar="FILE|given|drawn",
    ),
]
