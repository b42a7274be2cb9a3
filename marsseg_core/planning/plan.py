"""The plan: the complete, resolved description of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from ..components.interfaces import Dataset
from ..data.cleaning_options import CleaningOptions
from ..data.split_options import SplitOptions
from ..files.run_paths import PLUGINS_FOLDER
from ..registry import kinds, parameters
from ..registry.catalog import Catalog
from ..registry.kinds import METHOD, PLAN_KINDS, Kind
from ..registry.plugin_files import KEY as PLUGIN_KEY, LocalPlugin
from ..registry.session import Session, open_session
from ..shown import HtmlRepr
from .invoke import call_component
from .metrics import MetricTable, planned_metrics
from .options import OWN, RAREST, SECTIONS, EncoderOptions, SemiOptions, TrainingOptions
from .resolved import ResolvedComponent, weighting_spec
from .unlabelled_source import UnlabelledSource

if TYPE_CHECKING:
    from ..data.scaling import Scaling

NAME_KEYS: Final = ("name", "distribution", "version")

# The kinds of component that a network is built from.
NETWORK_KINDS: Final = (kinds.ARCHITECTURE, kinds.ENCODER, kinds.BOTTLENECK)


@dataclass(frozen=True, repr=False)
class Plan(HtmlRepr):
    """Describe a run completely: every resolved component and every option.

    Attributes:
        resolved: the components of each kind, in order
        cleaning: how the data is cleaned
        split: how the data is split into subsets
        training: the options of training, such as epochs, batch and seed
        section_origins: the origin of each value of cleaning, split and training, and of the choice for each kind
        plugins: the local plugin files that define components or hooks
        session: the session that resolved the plan; its catalog includes the components of the plugin files
    """

    resolved: Mapping[Kind, tuple[ResolvedComponent, ...]]
    cleaning: CleaningOptions
    split: SplitOptions
    training: TrainingOptions
    section_origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plugins: tuple[LocalPlugin, ...] = ()
    session: Session = field(default_factory=open_session, repr=False, compare=False)

    @property
    def catalog(self) -> Catalog:
        """Return the catalog of all components that the plan can choose from."""
        return self.session.catalog

    def components(self, kind: Kind) -> tuple[Any, ...]:
        """Return the components of a kind, in order.

        Args:
            kind: The kind of component.
        """
        return tuple(resolved.component for resolved in self.resolved[kind])

    def one(self, kind: Kind) -> Any:
        """Return the component of a kind of which a plan has exactly one, such as the architecture.

        Args:
            kind: The kind of component.
        """
        return self.resolved[kind][0].component

    @property
    def name(self) -> str:
        """Return the name of the architecture, which is also the name of the run folder."""
        return self.resolved[kinds.ARCHITECTURE][0].entry.name

    @property
    def summary(self) -> str:
        """Return the names of the components, the epochs and the seed in one line."""
        names = [
            f"{kind.option}={','.join(each.entry.name for each in several) or parameters.NONE_WORD}"
            for kind, several in self.resolved.items()
            if several or kind.many
        ]
        return ", ".join([*names, f"epochs={self.training.epochs}", f"seed={self.training.seed}"])

    def __repr__(self) -> str:
        return f"Plan({self.summary})"

    @property
    def distributions(self) -> dict[str, str]:
        """Return the distributions that the run needs, with their versions."""
        all_resolved = [resolved for several in self.resolved.values() for resolved in several]
        entries = [each.entry for resolved in all_resolved for each in resolved.with_inner]
        return {entry.distribution: entry.version for entry in sorted(entries, key=lambda entry: entry.distribution)}

    @cached_property
    def metrics(self) -> MetricTable:
        """Return the table of metrics, with those that the plan requests and monitors."""
        return planned_metrics(self.training, self.catalog)

    @property
    def differences(self) -> tuple[str, ...]:
        """Return a line for each distribution whose installed version differs from the version in the plan file."""
        lines = {
            f"The plan was made with {resolved.entry.distribution} {resolved.planned_version}; "
            f"this is {resolved.entry.provider}."
            for several in self.resolved.values()
            for resolved in several
            if resolved.planned_version not in ("", resolved.entry.version)
        }
        return tuple(sorted(lines))

    @property
    def objective_changes(self) -> bool:
        """Return whether the plan has several losses, and its weighting changes their weights during training."""
        weighting = self.resolved[kinds.WEIGHTING][0].component
        return bool(weighting.moves) and len(weighting_spec(self.resolved[kinds.LOSS]).losses) > 1

    @property
    def transductive(self) -> bool:
        """Return whether the run is to use images of its validation and test subsets, without their labels."""
        return any(
            isinstance(each.options, SemiOptions) and each.options.transductive for each in self.resolved[METHOD]
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return a line for each part of the plan that has no effect, or that the run folder cannot store fully."""
        lines = [plugin.remark for plugin in self.plugins if plugin.remark]
        for resolved in chain(*self.resolved.values()):
            lines += call_component(resolved, _without_effect, resolved)
        names = weighting_spec(self.resolved[kinds.LOSS]).losses
        entry = self.resolved[kinds.WEIGHTING][0].entry
        if len(names) == 1 and self.one(kinds.WEIGHTING).moves:
            lines.append(f"The weighting '{entry.name}' has no effect, as there is only one loss, {names[0]}.")
        for resolved in self.resolved[kinds.ENCODER]:
            architecture = self.one(kinds.ARCHITECTURE)
            for key in architecture.of_own_encoder:
                if getattr(architecture, key) != parameters.parameters_of(type(architecture))[key].default:
                    lines.append(f"{key} of {self.name} has no effect: it is for its own encoder, not for another one.")
            if isinstance(resolved.options, EncoderOptions):
                lines += _encoder_remarks(resolved.options, self.training)
        training = self.training
        if training.oversample_class != RAREST and training.oversample == 1 and not training.crop_focus:
            lines.append("training.oversample_class has no effect without training.oversample or training.crop_focus.")
        for key, value in {"ema_momentum": "ema", "swa_start": "swa"}.items():
            if training.averaging != value and getattr(training, key) != getattr(TrainingOptions(), key):
                lines.append(f"training.{key} has no effect without training.averaging={value}.")
        if training.crop is not None:
            lines += [
                f"The loss {resolved.entry.name} needs whole images: another crop than their size is refused."
                for resolved in self.resolved[kinds.LOSS]
                if resolved.component.wants_images
            ]
        for resolved in self.resolved[METHOD]:
            if isinstance(resolved.options, SemiOptions) and not resolved.options.weight:
                lines.append(
                    f"{resolved.entry.name} has the weight 0: its term is computed and logged, but the network learns "
                    "nothing from the images without labels."
                )
            if isinstance(resolved.options, SemiOptions) and resolved.options.ramp >= training.epochs:
                lines.append(
                    f"The ramp of {resolved.entry.name} is as long as the training or longer: its term never has its "
                    "whole weight."
                )
        dataset = self.resolved[kinds.DATASET][0]
        if self.resolved[METHOD] and UnlabelledSource.of(training.unlabelled).others == OWN:
            if type(dataset.component).unlabelled is Dataset.unlabelled:  # a kind of data set that never has any
                lines.append(
                    f"The data set {dataset.entry.name} has no images without labels: name a source of them with "
                    "--unlabelled, or the run will be refused."
                )
        elif training.unlabelled != OWN and not self.resolved[METHOD]:
            lines.append("The images without labels have no effect, as no --semi names a method that uses them.")
        if self.transductive:
            lines.append(
                "The run is transductive: images of the validation and test subsets are used without their labels, so "
                "the scores do not hold for new images."
            )
        return tuple(lines)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (name, value, origin) for every value of the plan, as `--dry-run` lists them."""
        rows = [(PLUGIN_KEY, f"{plugin.name} {plugin.hash[:12]}", plugin.origin) for plugin in self.plugins]
        for kind in PLAN_KINDS:
            for position, resolved in enumerate(self.resolved[kind], start=1):
                repeated = sum(other.entry == resolved.entry for other in self.resolved[kind]) > 1
                path = f"{kind.option}.{position if repeated else resolved.entry.name}"
                rows.append((kind.option, resolved.entry.name, resolved.origins["name"]))
                for key, value in resolved.values.items():
                    rows.append((f"{path}.{key}", parameters.to_text(value), resolved.origins.get(key, "default")))
            if not self.resolved[kind]:
                rows.append((kind.option, parameters.NONE_WORD, self.section_origins[kind.option]["name"]))
        for section in SECTIONS:
            for key, value in parameters.settings(getattr(self, section)).items():
                origin = self.section_origins.get(section, {}).get(key, "default")
                rows.append((f"{section}.{key}", parameters.to_text(value), origin))
        return rows

    def with_scaling(self, scaling: Scaling | None) -> Plan:
        """Return the plan with its data scaled as in a finished run, unless the plan defines the scaling itself.

        Args:
            scaling: The scaling that the run recorded; with None, the plan is returned unchanged.

        Returns:
            The plan with the scaling.
        """
        if scaling is None:
            return self
        resolved = self.resolved[kinds.DATASET][0]
        component = call_component(resolved, resolved.component.with_scaling, scaling)
        return replace(self, resolved={**self.resolved, kinds.DATASET: (replace(resolved, component=component),)})

    def to_toml(self) -> str:
        """Return the whole plan as TOML text.

        `resolve` reads an equal plan from it if the folder of plugin files is beside it.
        """
        import tomli_w

        document: dict[str, Any] = {}
        if self.plugins:
            document[PLUGIN_KEY] = [plugin.to_toml(PLUGINS_FOLDER) for plugin in self.plugins]
        for kind in PLAN_KINDS:
            tables = [resolved.to_toml() for resolved in self.resolved[kind]]
            if tables or kind.many:
                document[kind.option] = tables if kind.many else tables[0]
        for section in SECTIONS:
            values = parameters.settings(getattr(self, section))
            document[section] = {key: parameters.to_toml(value) for key, value in values.items()}
        return tomli_w.dumps(document)


def _without_effect(resolved: ResolvedComponent) -> list[str]:
    """Return a line for each parameter that is set, and that the value of another one leaves without effect."""
    component, known = resolved.component, parameters.parameters_of(type(resolved.component))
    return [
        f"{key} of {resolved.entry.name} has no effect with {other}={parameters.to_text(getattr(component, other))}."
        for key, other in component.without_effect().items()
        if getattr(component, key) != known[key].default
    ]


def _encoder_remarks(options: EncoderOptions, training: TrainingOptions) -> list[str]:
    """Return a line for each option of the encoder that has no effect, or that random weights make useless."""
    never_trained = options.never_trained(training.epochs)
    lines = []
    if training.init is None and options.weights is None:
        hint = "Start from trained weights, or let it be trained."
        if never_trained:
            lines.append(f"The encoder's weights are random, and freeze keeps them so in all epochs. {hint}")
        elif options.statistics == "frozen":
            lines.append(
                "The encoder's weights are random, and statistics=frozen keeps its batch normalisation, if it has any, "
                f"at the mean 0 and the variance 1. {hint}"
            )
    elif never_trained and options.freeze is not True:
        lines.append(f"freeze={options.freeze} keeps the encoder's weights in all {training.epochs} epochs.")
    if never_trained and options.learning_rate_factor != 1:
        lines.append("The encoder's learning_rate_factor has no effect, as freeze keeps its weights in all epochs.")
    if never_trained and options.statistics == "frozen":
        lines.append("The encoder's statistics=frozen has no effect, as freeze keeps its statistics, too.")
    return lines
