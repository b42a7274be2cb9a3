"""Say what the value of `training.unlabelled` names."""

from __future__ import annotations

from dataclasses import dataclass

from .options import OF_LABELLED_DATA, TRAINING


@dataclass(frozen=True)
class UnlabelledSource:
    """Hold which images a semi-supervised method sees without labels.

    Attributes:
        others: a data set, or one of the words that stand for images of the labelled one; empty: there are no others
        training: whether the images of the training subset are among them, without their labels
    """

    others: str
    training: bool

    @classmethod
    def of(cls, text: str) -> UnlabelledSource:
        """Return the source that a value names: `training`, others, or both, separated by a comma."""
        items = [item for item in text.split(",") if item.strip() != TRAINING]
        return cls(",".join(items).strip(), len(items) < len(text.split(",")))

    @property
    def is_named(self) -> bool:
        """Return whether the value names a data set by itself, which has to be looked up."""
        return self.others not in OF_LABELLED_DATA and not (self.training and not self.others)

    def with_others(self, others: str) -> str:
        """Return the value that names other images in place of `others`."""
        return ",".join(filter(None, [others, TRAINING if self.training else ""]))
