"""The weighting whose weights follow ramps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class Scheduled(Weighting):
    """Scheduled: moves the weight of each loss from a start value to an end value over the epochs.

    λ(e) = start + x^power · (end − start), where x rises from 0 at `begin` to 1 at `finish` (shares of the training)
    and e is the epoch. Start, end and λ are scaled to a sum of 1. Each loss is also multiplied by its weight in the
    plan.

    In the report, the weights of cross-entropy and boundary rise and that of dice falls. It records 0.4, 0.4 and 0.2,
    but not the start and end values. An example of such a ramp is `--loss ssce,dice,boundary --weighting scheduled
    --set weighting.scheduled.start=0.2,0.8,0 --set weighting.scheduled.end=0.4,0.4,0.2`.
    """

    end: tuple[float, ...] = param(help="weights at the end, one for each loss", minimum=0, min_length=1)
    start: tuple[float, ...] | None = param(
        None, help="weights at the start, one for each loss; none: equal weights", minimum=0, min_length=1
    )
    begin: float = param(
        0.0, help="share of the training after which the weights begin to change", minimum=0, maximum=1
    )
    finish: float = param(1.0, help="share of the training after which the weights stay constant", minimum=0, maximum=1)
    power: float = param(1.0, help="1: a straight ramp; above 1: most change late; below 1: most change early", above=0)

    def __post_init__(self) -> None:
        if self.begin > self.finish:
            raise ValueError(f"begin={self.begin:g} is after finish={self.finish:g}")

    def check(self, spec: WeightingSpec) -> None:
        count = len(spec.losses)
        for name, values in (("start", self.start), ("end", self.end)):
            if values is None:
                continue
            if len(values) != count:
                raise ValueError(f"{name} has {len(values)} weights for {count} losses ({', '.join(spec.losses)})")
            if not sum(values):
                raise ValueError(f"{name} has no weight above 0")

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Ramps

        self.check(spec)
        start = self.start or (1.0,) * len(spec.losses)
        return Ramps(spec, start, self.end, (self.begin, self.finish), self.power)
