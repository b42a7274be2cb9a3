"""The kinds of component. The registration of a kind contains everything that the rest of marsseg needs to know.

The option of `marsseg run`, the tables of a plan, `list`, `show`, completion, the reference pages, `new-plugin` and
`doctor` are all derived from it. To add a kind, write its registration here, its interface, its contract, its template,
and the code that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Kind:
    """Describe one kind of component.

    References to classes are texts "module:class", so that they are imported only when needed.

    Args:
        name: The name in `marsseg list`, and in sentences unless they have a `word`.
        option: The name on the command line, in `--set` and in plan files.
        group: The entry-point group in the metadata of distributions. The part after the dot is the plural of the name.
        interface: The base class of its components; empty for recipes, models, observers and commands.
        in_plan: How many components a plan has: "one", "optional" (none or one), "some" (one or more), "any" (none or
            more), or "" if a plan has no table for the kind.
        absent: The composition text to use for plans that do not mention the kind. It keeps plan files and run folders
            readable that are older than the kind. Empty if a plan must mention the kind.
        help: The help text of its option in `marsseg run --help`.
        metavar: The placeholder for the option's value in help texts.
        suffixes: File endings that the option also accepts.
        core_parameters: The dataclass of the options that marsseg adds to the parameters of each component.
        contract: The test class that the tests of a plugin inherit, and that `marsseg doctor --checks` runs.
        optional_checks: Tests of the contract that a component only has to pass if its author says so.
        template: The folder of its template in `marsseg_core/scaffold`; empty if `new-plugin` cannot make one.
        file: The ending of the file in a package that an entry point names, for kinds that are such files and no code.
        hooked: Whether it is a module with hooks. Such modules are not chosen: all of them are called.
        use: The arguments of `marsseg run` that use the component `{name}`.
        command: The command that uses it instead of `run`.
        word: What sentences call it, if that is not its name.
    """

    name: str
    option: str
    group: str
    interface: str = ""
    in_plan: Literal["one", "optional", "some", "any", ""] = ""
    absent: str = ""
    help: str = ""
    metavar: str = "NAME[:KEY=VALUE]…"
    suffixes: tuple[str, ...] = ()
    core_parameters: str = ""
    contract: str = ""
    optional_checks: tuple[str, ...] = ()
    template: str = ""
    file: str = ""
    hooked: bool = False
    use: str = ""
    command: str = "run"
    word: str = ""

    @property
    def plural(self) -> str:
        """Return the plural of the name, as in "losses"."""
        return self.group.partition(".")[2]

    @property
    def many(self) -> bool:
        """Return whether a plan may have a list of several components of the kind."""
        return self.in_plan not in ("one", "optional")

    @property
    def may_be_none(self) -> bool:
        """Return whether a plan may have no component of the kind."""
        return self.in_plan in ("any", "optional")

    @property
    def with_article(self) -> str:
        """Return the word with its article, as in "an optimizer"."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self}"

    def __str__(self) -> str:
        return self.word or self.name


# In the order in which `marsseg list` shows them, and in which a plan is read.
ALL_KINDS: Final[list[Kind]] = []
COMPONENT_KINDS: Final[list[Kind]] = []
PLAN_KINDS: Final[list[Kind]] = []
HOOKED_KINDS: Final[list[Kind]] = []


def register(kind: Kind) -> Kind:
    """Add a kind to the lists of kinds, kinds of components before all others."""
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
_TRY: Final = " --data synthetic:count=60 --epochs 1"

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
"""Name the kind of architectures, for example in the result of `Component.compositions`."""

ENCODER: Final = register(
    Kind(
        "encoder",
        "encoder",
        "marsseg.encoders",
        f"{_INTERFACES}:Encoder",
        in_plan="optional",
        absent="none",
        help="The network's encoder, for architectures that take one, or none for the architecture's own.",
        core_parameters=f"{_OPTIONS}:EncoderOptions",
        contract=f"{_CONTRACTS}:EncoderContract",
        template="encoder",
        use=f"--arch unet --encoder {{name}}{_TRY}",
    )
)
BOTTLENECK: Final = register(
    Kind(
        "bottleneck",
        "bottleneck",
        "marsseg.bottlenecks",
        f"{_INTERFACES}:Bottleneck",
        in_plan="any",
        help="Modules on the network's coarsest feature map: a list, or none.",
        contract=f"{_CONTRACTS}:BottleneckContract",
        template="bottleneck",
        use=f"--bottleneck {{name}}{_TRY}",
    )
)
"""Name the kind of bottlenecks, for example in the result of `Component.compositions`."""

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
        optional_checks=("test_a_perfect_prediction_costs_nothing", "test_labelled_pixels_have_a_gradient"),
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
        help="How the losses are combined into one.",
        contract=f"{_CONTRACTS}:WeightingContract",
        optional_checks=("test_the_sum_of_its_weights_stays_what_it_was", "test_its_weights_move_if_they_should"),
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
        optional_checks=(
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
        help="How the learning rate changes during training.",
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
        help="How gradients change the weights of the network.",
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
        use="--data {name}:path=FOLDER --epochs 1",
        word="data set",
    )
)

METHOD: Final = register(
    Kind(
        "method",
        "semi",
        "marsseg.methods",
        f"{_INTERFACES}:Method",
        in_plan="optional",
        absent="none",
        help="A semi-supervised method: how images without labels help to train the network.",
        core_parameters=f"{_OPTIONS}:SemiOptions",
        contract=f"{_CONTRACTS}:MethodContract",
        template="method",
        use=f"--semi {{name}} --unlabelled synthetic:count=20:first=60{_TRY}",
    )
)

# Metrics are named in options (`--monitor`, `--metrics`, `compare --by`), so a plan has no table for them.
METRIC: Final = register(
    Kind(
        "metric",
        "monitor",
        "marsseg.metrics",
        f"{_INTERFACES}:Metric",
        help="The metric for selecting the best network and for early stopping.",
        contract=f"{_CONTRACTS}:MetricContract",
        template="metric",
        use=f"--monitor {{name}}{_TRY}",
    )
)

# Where runs are executed is no part of their plans: their results do not depend on it.
EXECUTOR: Final = register(
    Kind(
        "executor",
        "on",
        "marsseg.executors",
        f"{_INTERFACES}:Executor",
        help="Where the runs are executed.",
        contract=f"{_CONTRACTS}:ExecutorContract",
        template="executor",
        command="sweep",
        use=f"--vary arch.width=0.1,0.2 --arch unet --on {{name}}{_TRY}",
    )
)

# How a finished network is written is no part of its plan.
EXPORTER: Final = register(
    Kind(
        "exporter",
        "format",
        "marsseg.exporters",
        f"{_INTERFACES}:Exporter",
        help="The format in which the network is written.",
        contract=f"{_CONTRACTS}:ExporterContract",
        template="exporter",
        command="export",
        use="RUN --format {name} --out EXPORTED",
    )
)

# A recipe is a whole plan and no component, but it is looked up, listed and shown in the same way.
RECIPE: Final = register(Kind("recipe", "plan", "marsseg.recipes", file=".toml"))

# A model is a pack: trained networks in one file, which a package ships.
MODEL: Final = register(Kind("model", "model", "marsseg.models", file=".zip"))

# Observers are no components either: they are not chosen, all of them are called. They are listed and disabled by name.
OBSERVER: Final = register(
    Kind("observer", "observer", "marsseg.hooks", hooked=True, template="observer", use=_TRY.strip())
)

# Commands that a plugin adds. The entry point names the module that adds them.
COMMAND: Final = register(Kind("command", "command", "marsseg.commands", hooked=True))
