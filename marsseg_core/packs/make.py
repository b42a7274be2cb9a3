"""Make a pack of finished runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from ..files.atomic import atomic_write
from ..files.pack import CARD, MORE_RUN_FILES, RUN_FILES, TEST_INPUT, TEST_OUTPUT, write_pack
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..inference.ensemble import load_networks
from ..registry.session import Session
from .card import card
from .check import CheckedPack, check_pack
from .description import Statement, describe
from .known_output import draw_test_image, logits_of, tolerance_of

# What a pack tells of the machine that trained: not the command, which has names of folders.
_ENVIRONMENT: Final = ("schema", "python", "platform", "backend", "versions")


def complete_description(
    name: str, runs: Sequence[RunFolder], networks: Sequence[keras.Model], session: Session, statement: Statement
) -> dict[str, Any]:
    """Return the description of a pack: what the runs record, and what their networks tell."""
    description = describe(name, runs, session, statement)
    for each, network in zip(description["runs"], networks, strict=True):
        each |= {"image": [*network.input_shape[1:]], "tolerance": tolerance_of(network)}
    return description


def make_card(runs: Sequence[RunFolder], name: str, session: Session, statement: Statement) -> str:
    """Return the model card of a pack of these runs, without writing one."""
    return card(complete_description(name, runs, load_networks(runs, session), session, statement))


@waiting("Packing")
def make_pack(path: Path, runs: Sequence[RunFolder], session: Session, statement: Statement) -> CheckedPack:
    """Write a pack of runs to `path`, after it was read and checked as its receiver will.

    Raises RequestError where a network cannot be loaded without the run's own folder, RunError where the pack cannot
    be written.
    """
    networks = load_networks(runs, session)
    description = complete_description(path.stem, runs, networks, session, statement)
    members: dict[str, bytes | Path] = {CARD: card(description).encode()}
    for number, (run, network) in enumerate(zip(runs, networks, strict=True), start=1):
        members |= {f"runs/{number}/{name}": content for name, content in _members(run, network)}
    with atomic_write(path) as temporary:
        write_pack(temporary, description, members)
        return check_pack(temporary, session)


def _members(run: RunFolder, network: keras.Model) -> Iterator[tuple[str, bytes | Path]]:
    for name in (*RUN_FILES, *MORE_RUN_FILES):
        path = run.path / name
        if path == run.environment and path.is_file():
            known = run.read_json(path)
            kept = {key: known[key] for key in _ENVIRONMENT if key in known}
            yield name, (json.dumps(kept, indent=2, allow_nan=False) + "\n").encode()
        elif name in RUN_FILES or path.is_file():
            yield name, path
    height, width, channels = network.input_shape[1:]
    image = draw_test_image((height, width, channels))
    yield TEST_INPUT, _npy(image)
    yield TEST_OUTPUT, _npy(logits_of(network, image).astype("<f4"))


def _npy(array: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
