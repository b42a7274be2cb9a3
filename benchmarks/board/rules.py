"""The rules of the tracks, which keep the scores of their rows comparable."""

from __future__ import annotations

from itertools import chain

from marsseg_core.data.cleaning_options import CleaningOptions
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.planning.options import OWN, EncoderOptions
from marsseg_core.planning.plan import Plan
from marsseg_core.planning.unlabelled_source import UnlabelledSource
from marsseg_core.registry.kinds import ENCODER, METHOD

from .rows import PRETRAINED, UNLABELLED


def broken_rule(plan: Plan, track: str) -> str | None:
    """Return the rule of a track that a plan breaks, as a sentence without its end; None if it keeps all of them."""
    if plan.transductive:
        return "a transductive run learns from the images of the test subset: no row may do this"
    if any(getattr(each.component, "recorded_runs", ()) for each in chain(*plan.resolved.values())):
        return "finished runs hide the time of their training: no row may use them"
    if UnlabelledSource.of(plan.training.unlabelled).others != OWN:
        return "the images without labels are those of the data set (training.unlabelled=own): no row may use others"
    if plan.split.labelled != SplitOptions().labelled or plan.cleaning != CleaningOptions():
        return "all rows learn from the same labelled images: no row may set split.labelled or leave images out"
    if plan.training.init is not None:
        return "the training of the initial weights (training.init) is not counted: no row may use them"
    for each in plan.resolved[ENCODER]:
        weights = each.options.weights if isinstance(each.options, EncoderOptions) else None
        if weights is not None and track != PRETRAINED:
            return f"weights of an encoder that was trained before are for the track {PRETRAINED}"
        if weights not in (None, *each.component.published_weights):
            return "of an encoder's weights, only published ones are allowed: the training of others is not counted"
    if bool(plan.resolved[METHOD]) != (track == UNLABELLED):
        return f"a semi-supervised method is for the track {UNLABELLED}, and each row there has one"
    return None
