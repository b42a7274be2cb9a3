"""Losses joined by weights that follow ramps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class Scheduled(Weighting):
    """Scheduled: each loss's weight moves from a start to an end value over the epochs.

    λ(e) = start + x^power · (end − start), with x the share of the way from `begin` to `finish` (shares of the
    training) at epoch e. Start, end and every λ are scaled to a sum of 1; the weight that a loss is given counts on
    top.

    The report let cross-entropy and boundary rise and dice fall; its record has 0.4, 0.4 and 0.2 without end points.
    `--loss ssce,dice,boundary --weighting scheduled --set weighting.scheduled.start=0.2,0.8,0 --set
    weighting.scheduled.end=0.4,0.4,0.2` is such a ramp.
    """

    end: tuple[float, ...] = param(help="the weights at the end, one for each loss", minimum=0, min_length=1)
    start: tuple[float, ...] | None = param(
        None, help="the weights at the start; none: all alike", minimum=0, min_length=1
    )
    begin: float = param(0.0, help="share of the training after which they move", minimum=0, maximum=1)
    finish: float = param(1.0, help="share of the training after which they stay", minimum=0, maximum=1)
    power: float = param(1.0, help="1 is a straight ramp; above, it rises late, below, early", above=0)

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
