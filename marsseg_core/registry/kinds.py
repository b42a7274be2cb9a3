"""The kinds of component: what each is called in prose, on the command line and in package metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """Describe one kind of component.

    Attributes:
        name: stands in `marsseg list` and in error texts
        option: stands on the command line, in `--set` and in plan files
        group: stands in a distribution's entry points
        interface: the class that its components derive from, as "module:class", so that the kinds can be known without
            it
        many: whether a plan holds any number of them
    """

    name: str
    option: str
    group: str
    interface: str = ""
    many: bool = False

    @property
    def with_article(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def __str__(self) -> str:
        return self.name


ARCHITECTURE: Final = Kind(
    "architecture", "arch", "marsseg.architectures", "marsseg_core.components.interfaces:Architecture"
)
BOTTLENECK: Final = Kind(
    "bottleneck", "bottleneck", "marsseg.bottlenecks", "marsseg_core.components.interfaces:Bottleneck", many=True
)
"""Name the kind of bottlenecks, as in what `Component.compositions` gives."""

LOSS: Final = Kind("loss", "loss", "marsseg.losses", "marsseg_core.components.interfaces:Loss", many=True)
WEIGHTING: Final = Kind("weighting", "weighting", "marsseg.weightings", "marsseg_core.components.interfaces:Weighting")
AUGMENTATION: Final = Kind(
    "augmentation", "augment", "marsseg.augmentations", "marsseg_core.components.interfaces:Augmentation", many=True
)
SCHEDULE: Final = Kind("schedule", "schedule", "marsseg.schedules", "marsseg_core.components.interfaces:Schedule")
DATASET: Final = Kind("dataset", "data", "marsseg.datasets", "marsseg_core.components.interfaces:Dataset")

# In the order in which a plan is read.
KINDS: Final = (ARCHITECTURE, BOTTLENECK, LOSS, WEIGHTING, AUGMENTATION, SCHEDULE, DATASET)

# A recipe is not a component but a whole plan; it is found, listed and shown in the same way.
RECIPE: Final = Kind("recipe", "plan", "marsseg.recipes")

# Nor is an observer: nobody chooses one, all of them are called. It is found, listed and switched off by name.
OBSERVER: Final = Kind("observer", "observer", "marsseg.hooks")

# Nor are commands that a plugin adds: the entry point names the module that adds them.
COMMAND: Final = Kind("command", "command", "marsseg.commands")

# What nobody chooses: modules with hooks, all of which are called.
HOOKED: Final = (OBSERVER, COMMAND)

# In the order in which they are listed.
ALL_KINDS: Final = (*KINDS, RECIPE, *HOOKED)
