"""Compare other data with those of a run: which images it was trained on, and whether only the masks differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..data.arrays import SegmentationData
from ..data.duplicates import digest_of, digests
from ..data.split import Split
from ..files.run_folder import RunFolder, used_without_labels
from .recorded_data import other_classes, other_scaling, refusal, valid_split

OwnData = Callable[[], SegmentationData | None]
"""Return the data of a run; None if they cannot be read, or have changed."""


@dataclass(frozen=True)
class TrainingImages:
    """Say how many images of a data set are training images of a run, or of the runs of an ensemble.

    Attributes:
        labelled: which of them the run used with their labels
        unlabelled: which it used only without
        of: the number of images of the data set
        by_name: whether only the names were compared, as the data of the run cannot be read or have another size
        runs: the number of runs
        behind: whether they are also those of the runs that it has learned from
    """

    labelled: frozenset[int]
    unlabelled: frozenset[int]
    of: int
    by_name: bool
    runs: int = 1
    behind: bool = False

    @classmethod
    def of_any(cls, counts: Sequence[TrainingImages | None]) -> TrainingImages | None:
        """Return the training images of any of several runs in the same data; None where there is none."""
        known = [each for each in counts if each is not None]
        if not known:
            return None
        labelled = frozenset().union(*(each.labelled for each in known))
        unlabelled = frozenset().union(*(each.unlabelled for each in known)) - labelled
        by_name, behind = (any(getattr(each, name) for each in known) for name in ("by_name", "behind"))
        return cls(labelled, unlabelled, known[0].of, by_name, len(counts), behind)

    @property
    def count(self) -> int:
        """Return the number of training images."""
        return len(self.labelled) + len(self.unlabelled)

    def __str__(self) -> str:
        what = "have the names of" if self.by_name else "are"
        without = f", {len(self.unlabelled):,} of them without labels" if self.unlabelled else ""
        run = "the run" if self.runs == 1 else "its runs"
        behind = " or of those behind it" if self.behind else ""
        return f"{self.count:,} of {self.of:,} images {what} training images of {run}{behind}{without}"


def training_images_in(data: SegmentationData, run: RunFolder, own: OwnData) -> TrainingImages | None:
    """Find the training images of a run in other data; None where there is none, or nothing can be compared."""
    recorded, known = run.read_split(), own()
    used, names = used_without_labels(recorded), recorded.get("names")
    same_size = known is not None and known.images.shape[1:] == data.images.shape[1:]
    shown = [digest.hex() for digest in digests(data.images)] if same_size or used else []
    labelled: frozenset[int] = frozenset()
    if known is not None and same_size:
        labelled = _found({digest_of(known.images[item]).hex() for item in recorded["train"]}, shown)
    elif names is not None and data.names is not None:
        labelled = _found({names[item] for item in recorded["train"] if item < len(names)}, data.names)
    unlabelled = _found(used, shown) - labelled
    if not labelled and not unlabelled:
        return None
    return TrainingImages(labelled, unlabelled, len(data), by_name=not same_size and bool(labelled))


def _found(known: Collection[str], items: Sequence[str]) -> frozenset[int]:
    return frozenset(index for index, item in enumerate(items) if item in known)


def split_of_same_images(data: SegmentationData, run: RunFolder, own: OwnData) -> tuple[Split, bool]:
    """Return the split of a run for data with its images, and whether their masks (or groups) are others.

    Images are the same where all have the names that the run recorded, or the pixels of the run's data. Raises
    RequestError, with the reason, where this is not certain, or where classes or scaling differ.
    """
    recorded = run.read_split()
    other_masks = recorded["fingerprint"] != data.fingerprint()
    difference = other_classes(recorded, data) or other_scaling(recorded, data, run)
    if not difference and other_masks:
        difference = _other_images(recorded["names"] if recorded.get("names") else None, data, own)
    if difference:
        raise refusal(recorded, data, run, difference)
    return valid_split(recorded, data, run, groups=None if other_masks else data.groups), other_masks


def _other_images(names: list[str] | None, data: SegmentationData, own: OwnData) -> str:
    """Return why the images of data are not (or may not be) those of a run; empty if they are."""
    named = names is not None and data.names is not None
    if named and names == list(data.names or ()):
        return ""
    known = own()
    count = len(known) if known is not None else len(names) if names is not None else len(data)
    if count != len(data):
        return f"it has {len(data):,} items, not {count:,}"
    if known is None:
        if not named:
            return "its images, masks or groups differ; which of them, only the data of the run or names could tell"
        different = sum(name != other for name, other in zip(names or (), data.names or (), strict=True))
        return f"{different:,} of its {count:,} items {'has another name' if different == 1 else 'have other names'}"
    if known.images.shape != data.images.shape:
        return f"its images are of {_size(data)}, not {_size(known)}"
    hashes, own_hashes = digests(data.images), digests(known.images)
    if hashes == own_hashes:
        return ""
    if sorted(hashes) == sorted(own_hashes):
        return "its images are in another order"
    different = sum(one != other for one, other in zip(hashes, own_hashes, strict=True))
    return f"{different:,} of its {count:,} images {'differs' if different == 1 else 'differ'}"


def _size(data: SegmentationData) -> str:
    return " × ".join(map(str, data.images.shape[1:]))
