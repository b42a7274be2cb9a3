"""Begin a run: write the files that describe it, or find out what has changed since it began."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.build import build_network
from ..networks.heads import scored_network
from ..networks.keras_backend.devices import thread_count
from ..networks.keras_backend.settings import fixed_values
from ..networks.machine import versions
from ..networks.read import load_network
from ..networks.wiring import same_wiring
from ..planning.plan import Plan
from ..registry.distribution import DISTRIBUTION
from ..runs.run import Run
from .assembly import input_shape
from .labelling import store_labels

_logger = get_logger(__name__)


def write_beginning(run: Run, labels: np.ndarray | None) -> None:
    """Write the files that describe the run: plan, plugin files, split, labels, cleaning and environment."""
    folder = run.folder
    for plugin in run.plan.plugins:
        folder.write_bytes(folder.plugins / plugin.name, plugin.source)
    folder.write_text(folder.plan, run.plan.to_toml())
    folder.write_json(
        folder.split,
        {"schema": 1, "fingerprint": run.data.fingerprint(), "source": run.data.source}
        | {"classes": list(run.data.class_names), "ignored": list(run.data.ignore_classes)}
        | {"scaling": None if run.data.scaling is None else run.data.scaling.to_json()}
        | {"names": None if run.data.names is None else list(run.data.names)}
        | {"origin": run.split.origin}
        | ({} if run.data.class_colours is None else {"colours": list(map(list, run.data.class_colours))})
        | ({} if run.unlabelled is None else {"unlabelled": run.unlabelled.to_json()})
        | run.split.to_json(),
    )
    if labels is not None:
        store_labels(folder, labels)
    folder.log(f"split: {run.split_summary}")
    if run.data.cleaning is not None:
        folder.write_json(folder.cleaning, {"schema": 1} | run.data.cleaning.to_json())
        folder.log(f"cleaned: {run.data.cleaning}")
    if run.data.scaling is not None:
        folder.log(f"values: {run.data.scaling}")
    if run.unlabelled is not None:
        folder.log(f"without labels: {run.unlabelled}")
    folder.write_json(folder.environment, environment(run.plan.distributions) | start_of_process())
    folder.log(f"{run.plan.name}: {run.network.count_params():,} parameters, {len(run.split.train)} training images")


def environment(distributions: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of environment.json: machine, versions, backend, devices and command of this process.

    `distributions` are the packages, with their versions, that are needed to load the run.
    """
    names = ("marsseg", "keras", "tensorflow", "jax", "numpy", "scipy", "opencv-python-headless")
    return {
        "schema": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "backend": keras.backend.backend(),
        "keras": fixed_values(),
        "devices": keras.distribution.list_devices(),
        "threads": thread_count(),
        "versions": {**distributions, **versions(names)},
        "command": sys.argv,
    }


def start_of_process() -> dict[str, Any]:
    """Return when and by which process a run is begun, as environment.json has it."""
    return {"started": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}", "process": os.getpid()}


def log_transfer(run: Run) -> None:
    """Log which initial weights were taken from another run."""
    if run.transfer is not None:
        run.folder.log(str(run.transfer))
        if mismatches := run.transfer.mismatch_text():
            _logger.warning(mismatches)


def network_to_resume(folder: RunFolder, plan: Plan, data: SegmentationData) -> tuple[keras.Model, str]:
    """Return the network that the checkpoint's weights belong to, and a warning (or "").

    Usually that is the network that the plan builds. If another version of a component now connects the layers
    differently, it is the network in the run folder, and the warning says so. Raises RequestError where that network
    lacks auxiliary heads which the training needs.
    """
    built = build_network(plan, input_shape(plan, data), data.num_classes)
    saved = load_network(folder)
    if same_wiring(scored_network(built), saved):
        return built, ""
    old_version = folder.read_json(folder.environment)["versions"].get(DISTRIBUTION)
    if isinstance(built.output, dict):
        raise RequestError(
            "The installed components build a different network from the one the run was trained with, and the run "
            "folder does not store its auxiliary heads.",
            where=str(folder.path),
            hint=f"Resume with the version that the run began with: pip install {DISTRIBUTION}=={old_version}.",
        )
    return saved, (
        "The installed components build a different network from the one the run was trained with: "
        "the run continues with its own network."
    )


def warn_of_another_environment(run: Run) -> None:
    """Warn if versions, devices or threads are not those with which the run began."""
    before, now = run.folder.read_json(run.folder.environment), environment(run.plan.distributions)
    changed = [
        f"{name} {before['versions'].get(name)} → {version}"
        for name, version in now["versions"].items()
        if before["versions"].get(name) != version
    ]
    changed += [
        f"{key} {before[key]} → {now[key]}"
        for key in ("backend", "devices", "threads")
        if key in before and before[key] != now[key]
    ]
    if changed:
        _logger.warning(
            f"The run began in another environment ({'; '.join(changed)}): its results may not be the same."
        )
