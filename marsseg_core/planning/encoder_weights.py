"""The initial weights of an encoder: published ones, a file, or those of another run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import RequestError, nearest
from ..files.documents import decoding, read_toml
from ..files.hashed import file_hash
from ..files.run_folder import RunFolder
from ..registry.kinds import ENCODER
from ..registry.parameters import NONE_WORD
from .documents import named_in_document

SUFFIXES: Final = (".weights.h5", ".npz", ".safetensors")


def path_of_weights(weights: str, published: Sequence[str]) -> Path | None:
    """Return the absolute path of the file or run folder that `weights` names; None for published weights."""
    return None if weights in published else Path(os.path.abspath(os.path.expanduser(weights)))


def hash_of_weights(path: Path, published: Sequence[str], where: str) -> str:
    """Return the hash of a file of weights, or of the network in a run folder.

    Raises RequestError where there is neither, or a file of another kind. `published` are the names that the user may
    have meant, and `where` is the component.
    """
    if os.path.isdir(path):
        return RunFolder.open(path).network_hash()
    is_file_name = path.name.lower().endswith(SUFFIXES)
    if not os.path.exists(path):
        if is_file_name:
            files = [each.name for each in path.parent.glob("*") if each.name.lower().endswith(SUFFIXES)]
            hint = nearest(path.name, files, listing=f"Files of weights in {path.parent}")
            raise RequestError(f"There is no file of weights '{path}'.", where=where, hint=hint)
        names = nearest(path.name, [NONE_WORD, *published])
        hint = f"{names} Others are the path of a file or of a run folder."
        if not published:
            hint = "There are none published for this encoder: name a file or a run folder."
        raise RequestError(f"There are no weights '{path.name}', and no run folder '{path}'.", where=where, hint=hint)
    if not is_file_name:
        raise RequestError(
            f"'{path}' is not a file of weights.",
            where=where,
            hint=f"A file ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; other weights are a run folder"
            + "".join(f", {name}" for name in published)
            + f" or {NONE_WORD}.",
        )
    with decoding("The weights cannot be read", path):
        return file_hash(path)


def check_encoder_of_run(path: Path, encoder: str) -> None:
    """Raise RequestError if the network of a run does not have the encoder of this name, by the run's plan."""
    file = RunFolder.open(path).plan
    planned = read_toml(file).get(ENCODER.option, [])
    names = [named.name.rpartition("/")[2] for named in named_in_document(planned, where=f"{file}, {ENCODER.option}")]
    if names == [encoder]:
        return
    what = f"has the encoder {names[0]}, not {encoder}" if names else "was trained without --encoder"
    raise RequestError(
        f"The network of that run {what}.",
        where=f"encoder {encoder}, weights={path}",
        hint="To begin with the weights of all layers that match: --init RUN",
    )
