"""The kinds of component. One registration says everything that the rest of marsseg needs to know of a kind.

From it derive the option of `marsseg run`, the tables of a plan, `list`, `show`, completion, the reference pages,
`new-plugin` and `doctor`. A new kind needs its registration here, its interface, its contract, its template, and the
place that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Kind:
    """Describe one kind of component.

    References to classes are texts, "module:class", so that a kind is known without importing them.

    Args:
        name: What it is called in error texts and in `marsseg list`.
        option: What it is called on the command line, in `--set` and in plan files.
        group: Its entry-point group in a distribution's metadata; what follows the dot is its plural.
        interface: The class that its components derive from; empty for what is no component.
        in_plan: How many a plan holds: "one", "some" (one or more), "any" (none is allowed), or "" where a plan has no
            table of them.
        absent: What a plan means that does not mention the kind, as a composition text: plans and run folders
            written before there was such a kind stay readable by it. Empty where the plan must say it.
        help: What `marsseg run --help` says of its option.
        metavar: What the option takes.
        suffixes: The endings of files that the option takes, too.
        core_parameters: The dataclass of what the core adds to each component's own parameters.
        contract: The contract that a plugin's tests inherit, and that `marsseg doctor --checks` runs.
        unpromised: Checks of the contract that a component need not pass unless its author says so.
        template: The folder of its template in `marsseg_core/scaffold`; empty where `new-plugin` makes none.
        hooked: Whether it is a module with hooks: nobody chooses one, all of them are called.
        use: The words after `marsseg run` that use one called `{name}`.
    """

    name: str
    option: str
    group: str
    interface: str = ""
    in_plan: Literal["one", "some", "any", ""] = ""
    absent: str = ""
    help: str = ""
    metavar: str = "NAME[:KEY=VALUE]…"
    suffixes: tuple[str, ...] = ()
    core_parameters: str = ""
    contract: str = ""
    unpromised: tuple[str, ...] = ()
    template: str = ""
    hooked: bool = False
    use: str = ""

    @property
    def plural(self) -> str:
        return self.group.partition(".")[2]

    @property
    def many(self) -> bool:
        """Whether several may be named in a list."""
        return self.in_plan != "one"

    @property
    def with_article(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def __str__(self) -> str:
        return self.name


# In the order in which they are listed; those that a plan holds in the order in which it is read.
ALL_KINDS: Final[list[Kind]] = []
COMPONENT_KINDS: Final[list[Kind]] = []
PLAN_KINDS: Final[list[Kind]] = []
HOOKED_KINDS: Final[list[Kind]] = []


def register(kind: Kind) -> Kind:
    """Make a kind known. Components first, then what is none."""
    ALL_KINDS.insert(len(COMPONENT_KINDS) if kind.interface else len(ALL_KINDS), kind)
    if kind.interface:
        COMPONENT_KINDS.append(kind)
    if kind.in_plan:
        PLAN_KINDS.append(kind)
    if kind.hooked:
        HOOKED_KINDS.append(kind)
    return kind


_INTERFACES: Final = "marsseg_core.components.interfaces"
_OPTIONS: Final = "marsseg_core.planning.options"
_CONTRACTS: Final = "marsseg_core.testing"
_TRY: Final = " --data synthetic:count=60"

ARCHITECTURE: Final = register(
    Kind(
        "architecture",
        "arch",
        "marsseg.architectures",
        f"{_INTERFACES}:Architecture",
        in_plan="one",
        help="The network.",
        contract=f"{_CONTRACTS}:ArchitectureContract",
        template="architecture",
        use=f"--arch {{name}}{_TRY}",
    )
)
BOTTLENECK: Final = register(
    Kind(
        "bottleneck",
        "bottleneck",
        "marsseg.bottlenecks",
        f"{_INTERFACES}:Bottleneck",
        in_plan="any",
        help="What works on its coarsest map: a list, or none.",
        contract=f"{_CONTRACTS}:BottleneckContract",
        template="bottleneck",
        use=f"--bottleneck {{name}}{_TRY}",
    )
)
"""Name the kind of bottlenecks, as in what `Component.compositions` gives."""

LOSS: Final = register(
    Kind(
        "loss",
        "loss",
        "marsseg.losses",
        f"{_INTERFACES}:Loss",
        in_plan="some",
        help="A list of losses.",
        core_parameters=f"{_OPTIONS}:LossOptions",
        contract=f"{_CONTRACTS}:LossContract",
        unpromised=("test_a_perfect_prediction_costs_nothing", "test_labelled_pixels_have_a_gradient"),
        template="loss",
        use=f"--loss {{name}}{_TRY}",
    )
)
WEIGHTING: Final = register(
    Kind(
        "weighting",
        "weighting",
        "marsseg.weightings",
        f"{_INTERFACES}:Weighting",
        in_plan="one",
        help="How losses become one.",
        contract=f"{_CONTRACTS}:WeightingContract",
        unpromised=("test_the_sum_of_its_weights_stays_what_it_was", "test_its_weights_move_if_they_should"),
        template="weighting",
        use=f"--loss ssce,dice --weighting {{name}}{_TRY}",
    )
)
AUGMENTATION: Final = register(
    Kind(
        "augmentation",
        "augment",
        "marsseg.augmentations",
        f"{_INTERFACES}:Augmentation",
        in_plan="any",
        help="A list of augmentations, in order, or none.",
        core_parameters=f"{_OPTIONS}:AugmentationOptions",
        contract=f"{_CONTRACTS}:AugmentationContract",
        unpromised=(
            "test_other_generators_give_something_else",
            "test_it_changes_something",
            "test_labels_keep_their_places_unless_it_moves_or_mixes",
        ),
        template="augmentation",
        use=f"--augment {{name}}{_TRY}",
    )
)
SCHEDULE: Final = register(
    Kind(
        "schedule",
        "schedule",
        "marsseg.schedules",
        f"{_INTERFACES}:Schedule",
        in_plan="one",
        help="How the learning rate moves.",
        contract=f"{_CONTRACTS}:ScheduleContract",
        template="schedule",
        use=f"--schedule {{name}}{_TRY}",
    )
)
OPTIMIZER: Final = register(
    Kind(
        "optimizer",
        "optimizer",
        "marsseg.optimizers",
        f"{_INTERFACES}:Optimizer",
        in_plan="one",
        absent="adamw",
        help="How weights follow their gradients.",
        core_parameters=f"{_OPTIONS}:OptimizerOptions",
        contract=f"{_CONTRACTS}:OptimizerContract",
        template="optimizer",
        use=f"--optimizer {{name}}{_TRY}",
    )
)
DATASET: Final = register(
    Kind(
        "dataset",
        "data",
        "marsseg.datasets",
        f"{_INTERFACES}:Dataset",
        in_plan="one",
        help="A data set, or a file.",
        metavar="NAME|PATH",
        suffixes=(".npz",),
        contract=f"{_CONTRACTS}:DatasetContract",
        template="dataset",
        use="--data {name}:path=FOLDER",
    )
)

# A metric is named where one is wanted (`--monitor`, `--metrics`, `compare --by`): a plan holds no table of it.
METRIC: Final = register(
    Kind(
        "metric",
        "monitor",
        "marsseg.metrics",
        f"{_INTERFACES}:Metric",
        help="The metric that the best network is kept by and early stopping watches.",
        contract=f"{_CONTRACTS}:MetricContract",
        template="metric",
        use=f"--monitor {{name}}{_TRY}",
    )
)

# A recipe is not a component but a whole plan; it is found, listed and shown in the same way.
RECIPE: Final = register(Kind("recipe", "plan", "marsseg.recipes"))

# Nor is an observer: nobody chooses one, all of them are called. It is found, listed and disabled by name.
OBSERVER: Final = register(
    Kind("observer", "observer", "marsseg.hooks", hooked=True, template="observer", use=_TRY.strip())
)

# Nor are commands that a plugin adds: the entry point names the module that adds them.
COMMAND: Final = register(Kind("command", "command", "marsseg.commands", hooked=True))
