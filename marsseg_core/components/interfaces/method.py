"""Define the interface of semi-supervised methods."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ...registry import kinds
from ...registry.kinds import Kind
from ..semi_specs import LabellingSpec, SemiSpec, Views
from .component import Component

if TYPE_CHECKING:
    import numpy as np

    from ..semi_layer import SemiLayer


class Method(Component):
    """Let images without labels help to train a network, by a term of the objective: a semi-supervised method.

    For each training step, the input pipeline prepares a batch of images without labels in two views, a weak and a
    strong one. The layer that `build` returns computes a term from them. marsseg multiplies it by the factor `weight`,
    which rises over `ramp` epochs, and adds it to the losses of the labelled batch.
    """

    kind = kinds.METHOD

    @property
    @abstractmethod
    def views(self) -> Views:
        """Return the views that the input pipeline prepares."""

    @abstractmethod
    def build(self, spec: SemiSpec) -> SemiLayer:
        """Build the layer that computes the term of the objective.

        The layer is part of the model that is trained, so its weights (such as a teacher's) are in the checkpoint.

        Args:
            spec: The number of classes, the ignored classes, and the length of the training.

        Returns:
            A new, unbuilt `SemiLayer`.
        """

    @property
    def labelling_rounds(self) -> int:
        """Return how often `label` is called: before the training, and at the start of each further round.

        The epochs are divided into so many equal rounds.
        """
        return 1

    def check(self, epochs: int) -> None:
        """Check that the parameters fit the length of the training; by default, they do.

        marsseg calls this for each plan, before it imports Keras. That the rounds are equally long is always checked.

        Args:
            epochs: The number of epochs.

        Raises:
            ValueError: The parameters do not fit.
        """

    def label(self, spec: LabellingSpec) -> np.ndarray | None:
        """Label the images before the training, and again at the start of each further round.

        The labels are stored in the run folder, so that a resumed run reads them. The input pipeline moves them
        together with the images. The labels of all rounds have the same shape. While all of them are void, the term is
        not computed.

        Args:
            spec: The images, the classes, a function that predicts with finished runs, and the round.

        Returns:
            None if the method labels nothing, as most do. Otherwise an array of uint8: (M, H, W) of class ids and void
            (255), or (M, H, W, K) of probabilities × 255, where a pixel of zeros is void.
        """
        return None

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        """Return the augmentations of the views."""
        return (kinds.AUGMENTATION, self.views.weak), (kinds.AUGMENTATION, self.views.strong)
