"""Read how runs decode their logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import RequestError, nearest
from ..evaluation.decoding import ARGMAX, Decoding, mean_decoding
from ..files.documents import read_toml
from ..files.run_folder import RunFolder
from ..messages import get_logger

_logger = get_logger(__name__)

RECORDED: Final = "run"
"""Decode as the run recorded it."""

CHOICES: Final = (RECORDED, "argmax")


def uses_tta(folders: Sequence[RunFolder], choice: bool | None) -> bool:
    """Return whether runs predict with test-time augmentation: as `choice` says, or as one of their plans says."""
    if choice is not None:
        return choice
    return any(read_toml(folder.plan, "The plan").get("training", {}).get("tta", False) for folder in folders)


def check_choice(choice: str) -> None:
    """Raise RequestError for a decoding that is none of `CHOICES`."""
    if choice not in CHOICES:
        hint = nearest(choice, CHOICES, listing="There are")
        raise RequestError(f"There is no decoding '{choice}'.", where="decoding", hint=hint)


def decoding_of(folders: Sequence[RunFolder], choice: str) -> Decoding:
    """Return the decoding of a run, or of the ensemble of several runs.

    `choice` is one of `CHOICES`: as recorded, or the plain argmax. Raises RequestError for any other.
    """
    check_choice(choice)
    return mean_decoding([recorded_decoding(folder) for folder in folders]) if choice == RECORDED else ARGMAX


def recorded_decoding(folder: RunFolder) -> Decoding:
    """Return the decoding in a run folder: the plain argmax if the run has no decoding.json, as older runs.

    Raises RequestError where the file is missing although the run was scored with it, or does not fit the classes. If
    the file was written for another network, as in a run that is being resumed, a warning says that it is not used.
    """
    if not folder.decoding.is_file():
        if folder.metrics.is_file() and folder.read_metrics().get("decoding", "argmax") != "argmax":
            raise RequestError(
                f"{folder.decoding.name} is missing: the run was scored with its offsets.",
                where=str(folder.path),
                hint="Restore the file from a copy, or decode without offsets: --decoding argmax",
            )
        return ARGMAX
    folder.check_unchanged(folder.decoding)
    content = folder.read_json(folder.decoding)
    names, _ = folder.classes()
    if set(content["offsets"]) != set(names):
        raise RequestError(
            f"{folder.decoding.name}: the offsets are of {', '.join(content['offsets'])}; the classes of the run are "
            f"{', '.join(names)}.",
            where=str(folder.path),
            hint="Restore the file from a copy, or decode without offsets: --decoding argmax",
        )
    if content["network"] != folder.network_hash():
        _logger.warning(
            f"{folder.path}: {folder.decoding.name} was chosen for another network, and is not used until the run ends."
        )
        return ARGMAX
    return Decoding(tuple(float(content["offsets"][name]) for name in names))
