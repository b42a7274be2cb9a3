"""Make a pack of finished runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tomli_w

from ..files.atomic import atomic_write
from ..files.documents import read_toml
from ..files.hashed import content_hash
from ..files.pack import CARD, MORE_RUN_FILES, RUN_FILES, TEST_INPUT, TEST_OUTPUT, write_pack
from ..files.places import without_folders
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

# What split.json says of where the images are.
_SOURCES: Final = ("source", "unlabelled")


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
    files = [run.path / name for name in (*RUN_FILES, *MORE_RUN_FILES)]
    public = _public_files(run)
    for path in files:
        if path.name in RUN_FILES or path.is_file():
            yield path.name, public.get(path.name, path)
    height, width, channels = network.input_shape[1:]
    image = draw_test_image((height, width, channels))
    yield TEST_INPUT, _npy(image)
    yield TEST_OUTPUT, _npy(logits_of(network, image).astype("<f4"))


def _public_files(run: RunFolder) -> dict[str, bytes]:
    """Return the files of a run that are packed otherwise than the run wrote them: without what tells of its machine.

    Paths lose the folders above their last part. The manifest has the hashes of the files as they are packed.
    """
    changed = {run.plan: tomli_w.dumps(without_folders(read_toml(run.plan))).encode()}
    split = run.read_split()
    sources = without_folders({key: split[key] for key in _SOURCES if key in split})
    if split | sources != split:
        changed[run.split] = _json(split | sources)
    if run.environment.is_file():
        known = run.read_json(run.environment)
        changed[run.environment] = _json({key: known[key] for key in _ENVIRONMENT if key in known})
    if run.manifest.is_file():
        manifest = run.read_json(run.manifest)
        packed = {path.name: [content_hash(content)] for path, content in changed.items()}
        files = {name: packed.get(name, hashes) for name, hashes in manifest["files"].items()}
        changed[run.manifest] = _json(manifest | {"files": files})
    return {path.name: content for path, content in changed.items()}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def _npy(array: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
