"""The kinds of component: what each is called in prose, on the command line and in package metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    `name` stands in `marsseg list` and in error texts, `option` on the command line, in `--set` and in plan
    files, `group` in a distribution's entry points. A plan holds any number of a kind that is `many`.
    """

    name: str
    option: str
    group: str
    many: bool = False

    @property
    def with_article(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def __str__(self) -> str:
        return self.name


ARCHITECTURE: Final = Kind("architecture", "arch", "marsseg.architectures")
BOTTLENECK: Final = Kind("bottleneck", "bottleneck", "marsseg.bottlenecks", many=True)
LOSS: Final = Kind("loss", "loss", "marsseg.losses", many=True)
WEIGHTING: Final = Kind("weighting", "weighting", "marsseg.weightings")
AUGMENTATION: Final = Kind("augmentation", "augment", "marsseg.augmentations", many=True)
SCHEDULE: Final = Kind("schedule", "schedule", "marsseg.schedules")
DATASET: Final = Kind("dataset", "data", "marsseg.datasets")

# In the order in which a plan is read.
KINDS: Final = (ARCHITECTURE, BOTTLENECK, LOSS, WEIGHTING, AUGMENTATION, SCHEDULE, DATASET)

# A recipe is not a component but a whole plan; it is found, listed and shown in the same way.
RECIPE: Final = Kind("recipe", "plan", "marsseg.recipes")

# Nor is an observer: nobody chooses one, all of them are called. It is found, listed and switched off by name.
OBSERVER: Final = Kind("observer", "observer", "marsseg.hooks")

# In the order in which they are listed.
ALL_KINDS: Final = (*KINDS, RECIPE, OBSERVER)
