"""Choose how a run decodes its logits, after the training and without the test subset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..evaluation.decoding import Decoding
from ..evaluation.evaluate import predicted_batches
from ..evaluation.offsets import LEAST_PLACES, choose_offsets, joined_places, labelled_pixels
from ..evaluation.shares import expected_pixels, expected_shares, offsets_for
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.predictor import HALF, Predictor
from ..planning.options import SHARES
from ..runs.run import Run

_logger = get_logger(__name__)

# Predict at most so many images without labels; of more, every n-th. It must not take long after Ctrl-C, too.
_MOST_UNLABELLED: Final = 2000


@waiting("Choosing the offsets")
def choose_decoding(run: Run) -> Decoding:
    """Choose the offsets of the run's network, as its plan says, and write decoding.json.

    Warns where the validation subset has too few images, or too few groups, to choose from. Then all offsets are 0.
    """
    counted = [c for c in range(run.data.num_classes) if c not in run.data.ignore_classes]
    choose = _matching_shares if run.plan.training.decoding == SHARES else _raising_score
    of_counted, details = choose(run, counted)
    offsets = [0.0] * run.data.num_classes
    for position, c in enumerate(counted):
        offsets[c] = float(of_counted[position])
    decoding = Decoding(tuple(offsets))
    run.folder.write_json(
        run.folder.decoding,
        {"schema": 1, "network": run.folder.network_hash(), "subset": "validation"}
        | {"offsets": dict(zip(run.data.class_names, offsets, strict=True))}
        | details,
    )
    run.folder.log(f"decoding: {decoding.describe(run.data.class_names)}")
    return decoding


def _raising_score(run: Run, counted: Sequence[int]) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the offsets that raise the mean IoU of the validation subset, and what decoding.json records of them."""
    data, items = run.data, run.split["validation"]
    pixels = labelled_pixels(
        predicted_batches(run.network, data, items, run.plan.training.batch, tta=run.plan.training.tta),
        counted,
        joined_places(items, data.groups),
        int(data.label_counts[items][:, counted].sum()),
    )
    if pixels.number < LEAST_PLACES:
        what = "images" if data.groups is None else "groups"
        _logger.warning(
            f"The validation subset has only {pixels.number} labelled {what}: offsets for decoding need "
            f"{LEAST_PLACES}. They stay 0."
        )
    choice = choose_offsets(pixels, run.plan.training.seed)
    moves = [
        {"class": data.class_names[counted[move.position]], "offset": move.offset}
        | {"gain": move.gain, "share": move.share}
        for move in choice.moves
    ]
    return choice.offsets, {"blocks": pixels.number, "moves": moves}


def _matching_shares(run: Run, counted: Sequence[int]) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the offsets with which each class has its mean probability as its share, and what is recorded of them.

    They are computed from the images of the validation subset, whose labels are not used, and from those without labels
    of the training, if it has any (of more than 2,000, every n-th). Those of the training subset are left out: the
    network knows their labels, so it is more certain of them than of new images.
    """
    images = [run.data.images[item] for item in run.split["validation"]]  # of a memory map, these take no memory
    if run.unlabelled is not None and len(others := run.unlabelled.others):
        images.extend(others[:: -(-len(others) // _MOST_UNLABELLED)])
    predictor = Predictor([run.network], tta=run.plan.training.tta, overlap=HALF, batch=run.plan.training.batch)
    logarithms = expected_pixels(
        predictor.probabilities(images),
        counted,
        sum(math.prod(image.shape[:2]) for image in images),
    )
    shares = expected_shares(logarithms)
    names = [run.data.class_names[c] for c in counted]
    return np.round(offsets_for(logarithms, shares), 6), {
        "images": len(images),
        "shares": dict(zip(names, shares.round(6).tolist(), strict=True)),
    }
