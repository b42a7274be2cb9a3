"""Choose how a run decodes its logits, after the training and on the validation subset alone."""

from __future__ import annotations

from ..evaluation.decoding import Decoding
from ..evaluation.evaluate import predicted_batches
from ..evaluation.offsets import LEAST_PLACES, choose_offsets, joined_places, labelled_pixels
from ..files.waiting import waiting
from ..messages import get_logger
from ..runs.run import Run

_logger = get_logger(__name__)


@waiting("Choosing the offsets")
def choose_decoding(run: Run) -> Decoding:
    """Choose the offsets that raise the mean IoU of the best network on the validation subset; write decoding.json.

    Warns where the subset has too few images, or too few groups, to choose from. Then all offsets are 0.
    """
    data, items = run.data, run.split["validation"]
    counted = [c for c in range(data.num_classes) if c not in data.ignore_classes]
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
    offsets = [0.0] * data.num_classes
    for position, c in enumerate(counted):
        offsets[c] = float(choice.offsets[position])
    decoding = Decoding(tuple(offsets))
    moves = [
        {"class": data.class_names[counted[move.position]], "offset": move.offset}
        | {"gain": move.gain, "share": move.share}
        for move in choice.moves
    ]
    run.folder.write_json(
        run.folder.decoding,
        {"schema": 1, "network": run.folder.network_hash(), "subset": "validation", "blocks": pixels.number}
        | {"offsets": dict(zip(data.class_names, offsets, strict=True)), "moves": moves},
    )
    run.folder.log(f"decoding: {decoding.describe(data.class_names)}")
    return decoding
