"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..registry.kinds import EXECUTOR, METRIC
from .completion import composition, fixed, monitored, names_or_distributions, recipes, settings

# Panels of the help, by topic. What belongs to none of them is in Typer's own panel, "Options", which is the first one;
# in a command that uses `OTHER`, it is there, at the end.
COMPONENTS: Final = "Components"
PLAN: Final = "Plan and plugins"
TRAINING: Final = "Training"
DATA: Final = "Data"
SEVERAL: Final = "Several runs"
CONTINUING: Final = "Continuing a run"
OTHER: Final = "Other options"

Decoding = Annotated[
    str,
    typer.Option(
        help="How network outputs become classes: run (as each run chose) or argmax (without offsets).",
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
        rich_help_panel=PLAN,
    ),
]

Engine = Annotated[
    str,
    typer.Option(
        help="What computes the predictions: keras, onnxruntime, openvino or litert, also with :precision=bfloat16. "
        "The network is exported for it once, and kept in the run folder.",
        metavar="ENGINE",
        autocompletion=fixed("keras", "onnxruntime", "openvino", "litert"),
    ),
]

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        help="Also use the components and hooks that a Python file defines.",
        metavar="FILE.py",
        rich_help_panel=PLAN,
    ),
]

Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Execute the plugin files that are stored with a plan or a run.", rich_help_panel=PLAN
    ),
]

Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta",
        help="Test-time augmentation: average over each image and its flipped copies. Default: as the run was scored.",
    ),
]

# The options of commands that let an executor do their tasks.


def _on(tasks: str, panel: str | None) -> Any:
    return typer.Option(
        help=f"Where the {tasks} are executed in parallel. Default: local if --jobs is given.",
        metavar=EXECUTOR.metavar,
        autocompletion=composition(EXECUTOR),
        rich_help_panel=panel,
    )


def _jobs(tasks: str, panel: str | None) -> Any:
    return typer.Option(help=f"Execute N {tasks} at the same time.", metavar="N", min=1, rich_help_panel=panel)


On = Annotated[str | None, _on("tasks", None)]
Jobs = Annotated[int | None, _jobs("tasks", None)]
OnOfRuns = Annotated[str | None, _on("runs", SEVERAL)]
JobsOfRuns = Annotated[int | None, _jobs("runs", SEVERAL)]

# The options of commands that train.

Base = Annotated[
    str | None,
    typer.Option(
        help="Start from a recipe, a plan file, a run or a pack.",
        metavar="RECIPE|FILE|RUN|PACK",
        autocompletion=recipes,
        rich_help_panel=PLAN,
    ),
]

Set = Annotated[
    list[str] | None,
    typer.Option(
        help="Set one value of the plan. Can be repeated.",
        metavar="KIND.NAME.KEY=VALUE",
        autocompletion=settings,
        rich_help_panel=PLAN,
    ),
]

Epochs = Annotated[
    str | None, typer.Option(help="Passes over the training subset.", metavar="N", rich_help_panel=TRAINING)
]

Batch = Annotated[str | None, typer.Option(help="Images per step.", metavar="N", rich_help_panel=TRAINING)]

LearningRate = Annotated[
    str | None, typer.Option(help="The learning rate at the start.", metavar="RATE", rich_help_panel=TRAINING)
]

Patience = Annotated[
    str | None,
    typer.Option(help="Stop after N epochs without a better --monitor.", metavar="N", rich_help_panel=TRAINING),
]

Monitor = Annotated[
    str | None,
    typer.Option(
        help="The metric that selects the best network and that early stopping watches.",
        metavar="NAME[:KEY=VALUE]…",
        autocompletion=monitored,
        rich_help_panel=TRAINING,
    ),
]

Metrics = Annotated[
    str | None,
    typer.Option(
        help="Further metrics to compute and show.",
        metavar="NAME[:KEY=VALUE]…",
        autocompletion=composition(METRIC),
        rich_help_panel=TRAINING,
    ),
]

Precision = Annotated[
    str | None,
    typer.Option(
        help="The dtype policy: float32, mixed_bfloat16, mixed_float16; auto: mixed_bfloat16 where the machine "
        "has it, else float32.",
        metavar="DTYPE|auto",
        autocompletion=fixed("float32", "mixed_bfloat16", "mixed_float16", "auto"),
        rich_help_panel=TRAINING,
    ),
]

BatchWorkers = Annotated[
    str | None, typer.Option(help="Threads or processes that prepare batches.", metavar="N", rich_help_panel=TRAINING)
]

Devices = Annotated[
    str | None,
    typer.Option(
        help="Train on this many devices of each host, or on all. Needs Keras on JAX for more than one.",
        metavar="N|all",
        autocompletion=fixed("all"),
        rich_help_panel=TRAINING,
    ),
]

Init = Annotated[
    str | None,
    typer.Option(
        help="Start from the weights of another run or of a pack, in all layers where they fit.",
        metavar="RUN",
        rich_help_panel=TRAINING,
    ),
]

Unlabelled = Annotated[
    str | None,
    typer.Option(
        help="The images without labels for --semi: a data set or a path; own: those of the data set itself; unused: "
        "these, and its labelled images that are in no subset; training, alone or after a comma: those of its training "
        "subset.",
        metavar="NAME|PATH|own|unused",
        rich_help_panel=DATA,
    ),
]


def split_option(panel: str | None) -> Any:
    """Return the option of the subsets, in a panel of the help."""
    return typer.Option(
        help="Take the subsets from a file: CSV with the columns item and subset (or fold), or a run's split.json; or "
        "from a list for each subset, train=FILE validation=FILE test=FILE, joined by commas without spaces; given: "
        "those that the data come with; drawn: draw them by shares.",
        metavar="FILE|given|drawn",
        rich_help_panel=panel,
    )


SplitSource = Annotated[str | None, split_option(DATA)]
