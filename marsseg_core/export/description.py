"""The description that an exported network holds: classes, what it takes and gives, and where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import keras

from ..components.exports import INPUT_NAME
from ..data.scaling import Scaling
from ..figures.colours import class_colours, hex_code
from ..files.documents import read_toml
from ..files.places import without_folders
from ..files.run_folder import RunFolder
from ..networks.local import locality
from ..planning.plan import NETWORK_KINDS
from ..registry.distribution import version
from .form import Form

_SCHEMA = 1

_VALUES = {
    "uint8": "the values of 8-bit image files, 0 to 255",
    "int32": "the whole numbers of the image files; they are scaled in the network",
    "float32": "the numbers of the image files; they are scaled in the network",
}

_OUTPUTS = {
    "logits": "one number for each class; the largest is that of the predicted class",
    "probabilities": "the probability of each class",
    "labels": "the number of the class, from 0 on",
}


def describe(folder: RunFolder, network: keras.Model, form: Form, scaling: Scaling | None) -> dict[str, Any]:
    """Return the description of an exported network, as values of JSON.

    `network` is the run's network, and `scaling` how the run scaled the values of its images, also where the form does
    not do this itself.
    """
    names, ignored = folder.classes()
    height, width, channels = (None, None, network.input_shape[-1]) if form.free else network.input_shape[1:]
    local = locality(network) if form.free else None
    colours = map(hex_code, class_colours(names, own_colours=folder.class_colours()))
    values = "shares from 0 to 1" if form.scaled else _VALUES[form.dtype]
    if scaling is not None and scaling != form.scaling:
        values += f"; before: {scaling}"
    return {
        "schema": _SCHEMA,
        "classes": [
            {"id": number, "name": name, "colour": colour, "ignored": number in ignored}
            for number, (name, colour) in enumerate(zip(names, colours, strict=True))
        ],
        "input": {
            "name": INPUT_NAME,
            "type": form.dtype,
            "axes": ["image", "row", "column", "channel"],
            "height": height,
            "width": width,
            "multiple_of": local.stride if local else None,
            "channels": channels,
            "values": values,
            "scaling": None if scaling is None else scaling.to_json(),
        },
        "output": {
            "name": form.output,
            "values": _OUTPUTS[form.output],
            "offsets": dict(zip(names, form.decoding.offsets, strict=False)),
            "never": [names[number] for number in form.ignore_classes] if form.output == "labels" else [],
        },
        "provenance": _provenance(folder),
    }


def _provenance(folder: RunFolder) -> dict[str, Any]:
    """Return where the network comes from: the run, its components and data, its scores, and the versions."""
    plan, split = read_toml(folder.plan), folder.read_split()
    metrics = folder.read_metrics() if folder.metrics.is_file() else {}
    parts = {name: part["miou"] for name, part in metrics.get("subsets", {}).items() if part.get("miou") is not None}
    return {
        "marsseg": version(),
        "keras": keras.__version__,
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": folder.path.resolve().name,
        "network": folder.network_hash(),
        "components": {
            kind.option: without_folders(plan[kind.option]) for kind in NETWORK_KINDS if kind.option in plan
        },
        "data": {"source": without_folders(split["source"]), "fingerprint": split["fingerprint"]},
        "miou": parts,
        **({"transductive": True} if folder.transductive else {}),
    }
