"""The kinds of component: what each is called in prose, on the command line and in package metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    `name` stands in `marsseg list` and in error texts, `option` on the command line, in `--set` and in plan
    files, `group` in a distribution's entry points. `interface` is the class that its components derive from, as
    "module:class", so that the kinds can be known without it. A plan holds any number of a kind that is `many`.
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
LOSS: Final = Kind("loss", "loss", "marsseg.losses", "marsseg_core.components.interfaces:Loss", many=True)
WEIGHTING: Final = Kind("weighting", "weighting", "marsseg.weightings", "marsseg_core.components.interfaces:Weighting")
AUGMENTATION: Final = Kind(
    "augmentation", "augment", "marsseg.augmentations", "marsseg_core.components.interfaces:Augmentation", many=True
)
SCHEDULE: Final = Kind("schedule", "schedule", "marsseg.schedules", "marsseg_core.components.interfaces:Schedule")
DATASET: Final = Kind("dataset", "data", "marsseg.datasets", "marsseg_core.components.interfaces:Dataset")

# In the order in which a plan is read.
KINDS: Final = (ARCHITECTURE, BOTTLENECK, LOSS, WEIGHTING, AUGMENTATION, SCHEDULE, DATASET)

# A metric is named where one is wanted (`--monitor`, `--metrics`, `compare --by`): a plan holds no table of it.
METRIC: Final = Kind("metric", "monitor", "marsseg.metrics", "marsseg_core.components.interfaces:Metric", many=True)

# All that is a component: a class with parameters, an interface and a contract.
COMPONENT_KINDS: Final = (*KINDS, METRIC)

# A recipe is not a component but a whole plan; it is found, listed and shown in the same way.
RECIPE: Final = Kind("recipe", "plan", "marsseg.recipes")

# Nor is an observer: nobody chooses one, all of them are called. It is found, listed and switched off by name.
OBSERVER: Final = Kind("observer", "observer", "marsseg.hooks")

# In the order in which they are listed.
ALL_KINDS: Final = (*COMPONENT_KINDS, RECIPE, OBSERVER)
