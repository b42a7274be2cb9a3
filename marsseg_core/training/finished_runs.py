"""Check that the finished runs which a plan uses know the plan's classes, and not the images that score it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from ..components.finished_runs import UsesRuns
from ..data.arrays import SegmentationData
from ..data.duplicates import digest_of
from ..data.names import image_of
from ..data.scaling import SIXTEEN_BITS
from ..data.split import Split
from ..errors import RequestError
from ..files.documents import read_toml
from ..files.run_folder import RunFolder, is_transductive, used_without_labels
from ..messages import get_logger
from ..planning.plan import Plan
from ..registry import kinds
from ..registry.kinds import Kind
from ..runs.lineage import initial_runs, runs_behind
from ..runs.recorded_data import recorded_scaling

_logger = get_logger(__name__)


@dataclass(frozen=True)
class _Known:
    """How many images of this run's validation and test subsets another run has learned from.

    Attributes:
        labelled: those with their labels
        unlabelled: those without their labels, at most
        by_name: whether only names were compared, as the runs do not have the same data
        transductive: whether the other run is
    """

    labelled: int
    unlabelled: int
    by_name: bool
    transductive: bool

    @property
    def learned(self) -> str:
        """Return what is said of a run that has learned from images without their labels."""
        return "is transductive: it learned" if self.transductive else "learned"

    @property
    def advice(self) -> str:
        """Return which run to use in its place."""
        return "Use a run that is not transductive." if self.transductive else "Use a run that did not."


def check_runs(plan: Plan, data: SegmentationData, split: Split, of: Collection[Kind]) -> None:
    """Check each run that a component of these kinds uses: its classes, its scaling, and what it was trained on.

    Raises RequestError where the classes or the scaling are not those of the data, a teacher has learned other classes,
    a run folder no longer exists, or a run was trained on images of the validation or test subset: their labels would
    reach this run through its network. If a run has used them without their labels, this run must be transductive, too,
    since its scores then say so. The same holds for the runs that a run has itself learned from.
    Logs a warning where a run was trained on other data, of which only names can be compared, or nothing.
    """
    for kind in of:
        for component in (resolved.component for resolved in plan.resolved[kind]):
            for path in component.recorded_runs if isinstance(component, UsesRuns) else ():
                run, where = RunFolder.open(path), f"{component.run_parameter}={path}"
                if not run.finished:
                    _logger.warning(f"{where} is not finished: its network is the best of the epochs until now.")
                _check_classes(run, data, where)
                if kind != kinds.ARCHITECTURE:
                    _check_learned_classes(run, plan, data, where)
                what, hint = "The run that this one uses", f"Use its split: --split {run.split}"
                _check_leak(what, run, _known_images(run, data, split), plan, where, hint)
                for other in runs_behind(run, plan.session):
                    what = f"A run that {run.title} has learned from"
                    hint = f"Use a run that has not learned from {other.title}."
                    _check_leak(what, other, _known_images(other, data, split), plan, where, hint)


def _check_leak(what: str, run: RunFolder, known: _Known | None, plan: Plan, where: str, hint: str) -> None:
    if known is None or known.by_name:
        _warn_of_leak(what, run, known, plan, hint)
    elif known.labelled:
        raise RequestError(
            f"{what} was trained on images of this run's validation or test subset.", where=where, hint=hint
        )
    elif known.unlabelled and not plan.transductive:
        raise RequestError(
            f"{what} {known.learned} from images of this run's validation or test subset, without their labels.",
            where=where,
            hint=f"{known.advice} Or make this one transductive by transductive=true of its "
            "--semi: its scores then say so.",
        )


def warn_of_known_images(plan: Plan, data: SegmentationData, split: Split) -> None:
    """Log a warning if this run begins with weights of a run that was, or may have been, trained on held-out images.

    These are the images of this run's validation and test subsets.
    """
    for path, _ in initial_runs(plan):
        if not os.path.exists(path):
            continue  # a run that goes on does not need it any more
        run = RunFolder.open(path)
        what = "The run whose weights this one begins with"
        _warn_of_leak(what, run, _known_images(run, data, split), plan, f"Use its split: --split {run.split}")
        for other in runs_behind(run, plan.session):
            what, hint = f"A run that {run.title} has learned from", "Begin with a run that has not learned from it"
            _warn_of_leak(what, other, _known_images(other, data, split), plan, hint)


def _warn_of_leak(what: str, run: RunFolder, known: _Known | None, plan: Plan, hint: str) -> None:
    """Log a warning if a run has, or may have, learned from the held-out images; `what` is what it is called."""
    if known is None:
        _logger.warning(
            f"{what}, {run.title}, was trained on other data ({run.read_split()['source']}): if these have images of "
            "the test subset, the scores are too high."
        )
    elif known.labelled:
        images, scores = f"{known.labelled:,} images", "the scores"
        if known.by_name:
            images, scores = f"images with the names of {known.labelled:,}", "if they are the same, the scores"
        _logger.warning(
            f"{what} was trained on {images} of this run's validation and test subsets: {scores} are too high. {hint}"
        )
    elif known.unlabelled and not plan.transductive:
        images, scores = "images", "The scores"
        if known.by_name:
            images, scores = "images that may have the names of images", "If they are the same, the scores"
        _logger.warning(
            f"{what} {known.learned} from {images} of this run's validation and test subsets, without their labels. "
            f"{scores} do not hold for new images. {known.advice} {run.title}"
        )


def _known_images(run: RunFolder, data: SegmentationData, split: Split) -> _Known | None:
    """Return what a run has learned from the validation and test subsets; None if nothing can be compared.

    Items are compared by their numbers if the run had the same data, or else by their names; those that it used without
    labels by their pixels, if it recorded their hashes.
    """
    recorded = run.read_split()
    held_out = [*split.validation, *split.test]
    by_name = recorded["fingerprint"] != data.fingerprint()
    names, transductive = recorded.get("names"), is_transductive(recorded)
    comparable = not by_name or (names is not None and data.names is not None)

    def shared(items: Collection[int]) -> int:
        if names is None or not by_name:
            return len({*held_out} & {*items})
        return _count_named([data.name(item) for item in held_out], names, items)

    labelled = shared(recorded["train"]) if comparable else 0
    hashes = used_without_labels(recorded)
    found = sum(digest_of(data.images[item]).hex() in hashes for item in held_out) if hashes else 0
    if found and not labelled:
        return _Known(0, found, by_name=False, transductive=transductive)
    if not comparable:
        return None
    # Near copies of these have other hashes, and older runs recorded none: the number of those that a transductive run
    # held out itself, and used, is known.
    used = recorded["unlabelled"]["held_out"] if transductive else 0
    theirs = [*recorded["validation"], *recorded["test"]]
    return _Known(labelled, min(used, shared(theirs)), by_name, transductive)


def _count_named(own: Collection[str], names: Collection[str], items: Collection[int]) -> int:
    """Count the names in `own` that are among those of some items of other data, of which `names` has all.

    A name that the other data do not have at all is compared by its image: they may be cut into other tiles.
    """
    chosen = {*items}
    known = {name for item, name in enumerate(names) if item in chosen}
    images, every = {image_of(name) for name in known}, {*names}
    return sum(name in known or (name not in every and image_of(name) in images) for name in own)


def _check_learned_classes(run: RunFolder, plan: Plan, data: SegmentationData, where: str) -> None:
    """Raise RequestError where only one of a teacher and this run counts the ignored classes in its losses.

    The one that does not has learned nothing about them, but a network predicts them all the same.
    """
    theirs = bool(read_toml(run.plan).get("training", {}).get("learn_ignored", False))
    if data.ignore_classes and theirs != plan.training.learn_ignored:
        names = ", ".join(data.class_names[c] for c in data.ignore_classes)
        raise RequestError(
            f"The run has {'' if theirs else 'not '}learned the ignored classes ({names}), this one would"
            f"{' not' if theirs else ''}.",
            where=where,
            hint=f"Train both alike: --set training.learn_ignored={str(theirs).lower()}.",
        )


def _check_classes(run: RunFolder, data: SegmentationData, where: str) -> None:
    names, _ = run.classes()
    if names != data.class_names:
        raise RequestError(
            f"The classes of the run are {', '.join(names)}; those of the data are {', '.join(data.class_names)}.",
            where=where,
            hint="Name a run that was trained on the same classes.",
        )
    theirs, ours = (None if scaling == SIXTEEN_BITS else scaling for scaling in (recorded_scaling(run), data.scaling))
    if theirs != ours:
        raise RequestError(
            f"The values of the run's images were scaled differently ({theirs or 'not at all'}) from those of the "
            f"data ({ours or 'not at all'}).",
            where=where,
            hint="The parameter range of the data set says which values are black and white.",
        )
