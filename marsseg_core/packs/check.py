"""Check a pack: its files, what it says of its runs, and that its networks repeat the output of the test image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from ..errors import RequestError
from ..files.pack import Pack, open_pack
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..networks.load import load
from ..registry.session import Session
from ..runs.recorded_data import recorded_scaling
from ..runs.records import read_record
from .known_output import Repeated, repeat, tolerance_of


@dataclass(frozen=True)
class CheckedPack:
    """A pack that passed all checks.

    Attributes:
        pack: the pack
        repeated: how the output of the test image compares, for each run
        tolerances: the largest difference that was allowed, for each run
    """

    pack: Pack
    repeated: tuple[Repeated, ...]
    tolerances: tuple[float, ...]


@waiting("Checking the pack")
def check_pack(path: Path, session: Session) -> CheckedPack:
    """Check a pack as its receiver does. Raises RequestError for the first thing that is wrong."""
    pack = open_pack(path)
    repeated, tolerances = [], []
    for number, (folder, stated) in enumerate(zip(pack.folders, pack.description["runs"], strict=True), start=1):
        where = f"{path}, run {number}"
        run = RunFolder(folder, where)
        run.check_unchanged()
        network = load(folder, session)
        if false := _false_statement(pack.description, stated, run, network):
            raise RequestError(f"pack.json is wrong about the run: {false}.", where=where)
        allowed = min(stated["tolerance"], tolerance_of(network))
        found = repeat(network, folder)
        if found.difference > allowed:
            raise RequestError(
                f"The network does not give the output that the pack has for its test image: the logits differ by up "
                f"to {found.difference:.1e} of the largest; {allowed:.0e} is allowed.",
                where=where,
                hint="The weights are not those that were packed, or this machine computes wrongly.",
            )
        repeated.append(found)
        tolerances.append(allowed)
    return CheckedPack(pack, tuple(repeated), tuple(tolerances))


def _false_statement(
    description: Mapping[str, Any], stated: Mapping[str, Any], run: RunFolder, network: keras.Model
) -> str:
    """Return what pack.json says otherwise than the files of a run; empty if all agrees."""
    record, scaling = read_record(run.path), recorded_scaling(run)
    classes = [(each["name"], each["ignored"]) for each in description["classes"]]
    if classes != [(name, number in record.ignore_classes) for number, name in enumerate(record.classes)]:
        return "its classes"
    if network.output_shape[-1] != len(classes):
        return f"its classes, as the network predicts {network.output_shape[-1]}"
    if stated["image"] != [*network.input_shape[1:]]:
        return "the size of its images"
    if description["data"]["fingerprint"] != record.fingerprint:
        return "the fingerprint of its data"
    if stated["scaling"] != (None if scaling is None else scaling.to_json()):
        return "the scaling of its values"
    if any(
        record.scores.get(subset, {}).get(each["score"], "unknown") != each["value"]
        for subset, scores in stated["scores"].items()
        for each in scores
    ):
        return "its scores"
    if stated.get("transductive", False) != record.transductive:
        return "whether it is transductive"
    return ""
