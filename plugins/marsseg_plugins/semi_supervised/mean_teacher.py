"""The semi-supervised method `mean_teacher`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import Method, SemiSpec, Views, param

from .views import STRONG, STRONG_HELP, WEAK, WEAK_HELP

if TYPE_CHECKING:
    from marsseg_core.plugin_api import SemiLayer


@dataclass(frozen=True)
class MeanTeacher(Method):
    """Mean teacher: the network predicts for the strong view what its averaged weights predict for the weak view.

    The teacher is the exponential average of the network's weights over the steps. In step t its momentum is at most
    1 − 1/t, so that it soon forgets the random weights of the start. No gradient flows through it. Batch normalisation
    of teacher and student uses the statistics of the images without labels, as in the authors' code, and these do not
    enter the moving averages.

    The network that is scored and stored is the student. `training.averaging=ema` scores averaged weights instead. In
    the paper, the term holds for the images with labels, too: `--unlabelled own,training`.

    Tarvainen and Valpola, arXiv 1703.01780. With `cutmix`, boxes of other images are pasted into the strong view, and
    the teacher's prediction is pasted in the same way: French and others, arXiv 1906.01916.
    """

    momentum: float = param(0.99, help="factor of the teacher's old weights in each step", minimum=0, maximum=0.99999)
    consistency: Literal["mse", "ce"] = param(
        "mse",
        help="difference of the predictions; mse: mean square of those of probabilities, ce: cross-entropy with the "
        "teacher's",
    )
    weak: str = param(WEAK, help=WEAK_HELP)
    strong: str = param(STRONG, help=STRONG_HELP)
    cutmix: float = param(0.0, help="probability of a box of another image in the strong view", minimum=0, maximum=1)

    @property
    def views(self) -> Views:
        return Views(self.weak, self.strong, self.cutmix)

    def build(self, spec: SemiSpec) -> SemiLayer:
        from .layers import MeanTeacherLayer

        return MeanTeacherLayer(spec, self.momentum, self.consistency)
