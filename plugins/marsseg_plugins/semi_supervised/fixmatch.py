"""The semi-supervised method `fixmatch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Method, SemiSpec, Views, param

from .views import STRONG, STRONG_HELP, WEAK, WEAK_HELP

if TYPE_CHECKING:
    from marsseg_core.plugin_api import SemiLayer


@dataclass(frozen=True)
class FixMatch(Method):
    """FixMatch: the network's confident labels of the weak view are the labels of the strong view.

    A pixel counts where the probability of its most likely class is at least `threshold`. The term is the
    cross-entropy with that class, summed over these pixels and divided by the number of all pixels, as published. Boxes
    of other images are pasted into the strong view, and their labels with them (CutMix).

    Batch normalisation uses the statistics of each view itself. They do not enter the moving averages: blurred, noisy
    and pasted images have other statistics than the images that the network is scored on.

    In the paper, the images with labels are among those without: `--unlabelled own,training`.

    Sohn and others, arXiv 2001.07685; CutMix for segmentation: French and others, arXiv 1906.01916.
    """

    threshold: float = param(0.95, help="smallest probability of a label that counts", minimum=0, maximum=1)
    weak: str = param(WEAK, help=WEAK_HELP)
    strong: str = param(STRONG, help=STRONG_HELP)
    cutmix: float = param(0.5, help="probability of a box of another image in the strong view", minimum=0, maximum=1)

    @property
    def views(self) -> Views:
        return Views(self.weak, self.strong, self.cutmix)

    def build(self, spec: SemiSpec) -> SemiLayer:
        from .layers import FixMatchLayer

        return FixMatchLayer(spec, self.threshold)
